# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's render settings, borrowed for a picture of ours and given back whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Change = Callable[[Any, str, Any], None]
"""Sets an attribute of a thing; it comes back when the loan is over."""


@contextmanager
def borrowed(render: Any) -> Iterator[Change]:
    """Change anything by what this yields; all of it, and how pictures are written, comes back.

    A copy of the scene would be simpler, but Blender 4.2 then counts a user too many on every object of it.
    """
    kept: list[tuple[Any, str, Any]] = []

    def change(thing: Any, attribute: str, value: Any) -> None:
        kept.append((thing, attribute, getattr(thing, attribute)))
        setattr(thing, attribute, value)

    output = _kept_output(render.image_settings)
    try:
        yield change
    finally:
        for name, value in output:
            setattr(render.image_settings, name, value)
        for thing, attribute, value in reversed(kept):
            setattr(thing, attribute, value)


def as_png(settings: Any, colours: str) -> None:
    """Write pictures as PNG of 8 bits, `RGB` or `RGBA`."""
    if hasattr(settings, "media_type"):  # from 5.0 on a format is chosen within a kind of medium
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", colours, "8"


def _kept_output(settings: Any) -> list[tuple[str, Any]]:
    """How pictures are written, in the order in which it can be set again: each choice depends on those before."""
    names = ("media_type", "file_format", "color_mode", "color_depth", "exr_codec", "use_exr_interleave")
    return [(name, getattr(settings, name)) for name in names if hasattr(settings, name)]
