"""A pace that tests can rely on, however slow the machine is."""

from __future__ import annotations

from generators.live.coarse_to_fine import Pace


class Unmoved(Pace):
    """One that does not learn how quick the pictures of a test are."""

    def took(self, way: int, ms: float) -> None:
        pass
