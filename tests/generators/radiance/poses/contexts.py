"""A context as the worker offers it, that remembers how long it was left alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from generators.events import Cancelled


@dataclass
class Bench:
    """Cancelled `cancel_after_secs` after it was made, when that is given."""

    scratch: Path
    device: str = "cpu"
    wants_previews: bool = True
    cancel_after_secs: float = 1e9
    started: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        if time.monotonic() - self.started > self.cancel_after_secs:
            raise Cancelled
