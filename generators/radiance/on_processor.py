"""What a run says when it has a graphics card that cannot draw splats."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generators.beside import Beside
from generators.events import Event, Note
from generators.radiance.rasterizer import unfit


def why_on_processor(device: str) -> str | None:
    """The sentence that says why splats are drawn on the processor although `device` is a graphics card, or None."""
    reason = unfit(device)
    return f"splats are drawn on the processor, not on {device}: {reason}" if reason is not None else None


def told_if_on_processor(device: str, check: Callable[[], None]) -> Iterator[Event]:
    """A note with the reason when splats are drawn on the processor although `device` is a graphics card."""
    if device == "cpu":
        return
    with Beside(check) as beside:  # the first look may compile kernels for minutes
        words = beside(lambda: why_on_processor(device))
    if words is not None:
        yield Note(words)
