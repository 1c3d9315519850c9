"""Small WAV files, written by the standard library."""

from __future__ import annotations

import wave
from pathlib import Path


def sound(path: Path, value: int = 1, frames: int = 400) -> bytes:
    """Write a mono file of `frames` equal samples and return its bytes."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, frames, "NONE", ""))
        file.writeframes(bytes([value, 0]) * frames)
    return path.read_bytes()
