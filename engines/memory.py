"""What a decoder may ask of the machine's memory, in bytes, and what reading one thing or another takes.

A file of a few megabytes can unpack to any size, so the limit is on what it is to become, and is looked at first.
The figures are peaks of a whole process, measured per splat, vertex or pixel on this room's own decoders.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from engines.errors import TooLarge

VARIABLE = "SCENECAST_DECODE_BYTES"
"""The bridge's setting `decode_bytes`, as workers and the exporter are told of it."""
COMPONENT_BYTES = 14
"""One number of a GLB's accessor, from the file to the joined mesh or cloud."""
PIXEL_BYTES = 16
"""One pixel of a picture of 8 bits a channel, four channels, with the copies that turning it upright makes."""
TEXT_BYTES = 16
"""One byte of a mesh or a cloud that is text, as words and lists of Python's."""

_SPLAT_BYTES, _HARMONIC_BYTES = 270, 36
_MOST = 24 << 30
_UNKNOWN_MACHINE = 8 << 30
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def splat_bytes(coefficients: int) -> int:
    """Memory that reading a splat takes, with so many harmonics for each colour, degree 0 included (1 to 16)."""
    return _SPLAT_BYTES + _HARMONIC_BYTES * coefficients


def machine_bytes() -> int:
    """The machine's memory, or what its container has of it; 0 where the system does not say."""
    names = getattr(os, "sysconf_names", {})
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in names else 0
    try:
        granted = _CGROUP.read_text().strip()
    except OSError:
        granted = ""
    return min(whole, int(granted)) if granted.isdecimal() and whole else whole


def most_decode_bytes(environment: Mapping[str, str] | None = None, machine: int | None = None) -> int:
    """The limit: as the setting says, else three quarters of the machine's memory, but at most 24 GiB.

    That is 20 million splats of degree 3 where there are 24 GB, and 30 million at most.
    """
    environment = os.environ if environment is None else environment
    stated = environment.get(VARIABLE, "")
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    machine = machine_bytes() if machine is None else machine
    return min(_MOST, (machine or _UNKNOWN_MACHINE) * 3 // 4)


def check_memory(wanted_bytes: float, most_bytes: int, what: str, remedy: str = "make it smaller") -> None:
    """Raise `TooLarge` when reading `what` would take more memory than decoders are granted."""
    if wanted_bytes > most_bytes:
        raise TooLarge(
            f"{what} would take {wanted_bytes / 1e9:.3g} GB of memory to read, the limit is {most_bytes / 1e9:.3g} GB",
            remedy=f"{remedy} first, or raise `decode_bytes` in the bridge's settings on a machine with more memory",
        )


def check_splats_memory(count: int, coefficients: int, most_bytes: int, name: str) -> None:
    """Raise `TooLarge` when reading so many splats with so many harmonics would take too much memory."""
    what = f"{name}, {count} splats with {coefficients} harmonics each,"
    check_memory(count * splat_bytes(coefficients), most_bytes, what, "decimate the cloud")
