"""What is done beforehand leaves every kernel compiled."""

from __future__ import annotations

from generators.fields import rendering
from generators.fields.training import train_rays
from generators.fields.warm import compile_kernels
from generators.radiance.rasterizer.kernels import compiled_before


def test_afterwards_the_kernels_are_on_disk() -> None:
    compile_kernels()
    assert compiled_before(train_rays) and compiled_before(rendering._render)
