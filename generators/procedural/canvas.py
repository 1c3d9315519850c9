"""The square on which a material is drawn: its size, its seed and its real extent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

BAND_PX = 1 << 18
"""Pixels worked on at once by per-pixel searches: small enough for a core's cache, and for 8192² in memory."""


def _never() -> None:
    """Stand in for a cancel check where nobody can cancel."""


@dataclass(frozen=True)
class Canvas:
    """A torus of `size_px`² pixels, `span_m` design metres wide.

    Families are drawn for their natural size: at `density` 1 the canvas spans one default tile, at 2 it spans two
    and so holds twice as many features each way. Random numbers are drawn on the CPU by name, so they do not
    depend on the size, the device or the order of drawing; a 256 px draft shows the very material that follows.
    """

    size_px: int
    seed: int = 0
    span_m: float = 1.0
    density: float = 1.0
    device: str = "cpu"
    check: Callable[[], None] = _never

    def count(self, natural: float, multiple: int = 1) -> int:
        """Give how many of a feature fit the canvas when `natural` of them fit a default tile."""
        return max(1, round(natural * self.density / multiple)) * multiple

    def draw(self, name: str, *shape: int) -> Tensor:
        """Give uniform random numbers, float32 in [0, 1), that depend on the seed and the name alone."""
        digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=7).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
        return torch.rand(shape, generator=generator).to(self.device)

    def axes(self) -> tuple[Tensor, Tensor]:
        """Give pixel centres as float32 y [n, 1] from the top and x [1, n], both in 0..1."""
        line = (torch.arange(self.size_px, device=self.device, dtype=torch.float32) + 0.5) / self.size_px
        return line[:, None], line[None, :]

    def full(self, value: float) -> Tensor:
        """Give a field float32 [n, n] of one value."""
        return torch.full((self.size_px, self.size_px), value, device=self.device)

    def bands(self) -> Iterator[slice]:
        """Cut the rows into bands of about `BAND_PX` pixels, asking before each whether to go on."""
        rows = max(1, BAND_PX // self.size_px)
        for top in range(0, self.size_px, rows):
            self.check()
            yield slice(top, min(top + rows, self.size_px))
