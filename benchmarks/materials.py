"""Procedural materials: seconds a family, on the processor or the GPU torch finds."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import torch

from benchmarks.figures import Figure
from engines.assets import Material
from generators.events import Produced, Request
from generators.procedural.family_table import FAMILIES
from generators.procedural.material import run as run_material
from generators.procedural.material_spec import ProceduralMaterialParams

BENCH = "materials"
SIZE_PX = 1024
ROUNDS = 2


class Quiet:
    """A context that nobody cancels and nobody watches."""

    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    scratch = Path(tempfile.gettempdir())
    wants_previews = False

    def check(self) -> None:
        """Never cancelled."""


def made(prompt: str, size_px: int) -> Material:
    """The material of a prompt, seed 1."""
    events = run_material(Request(ProceduralMaterialParams(prompt=prompt, size_px=size_px), 1), Quiet())
    found = next(event.asset for event in events if isinstance(event, Produced))
    assert isinstance(found, Material)
    return found


def run() -> Iterator[Figure]:
    """The best of two for every family, then their median and their worst."""
    times = {family.name: min(_secs(family.name) for _ in range(ROUNDS)) for family in FAMILIES}
    for name, spent in times.items():
        yield Figure(BENCH, f"{name}, {SIZE_PX}² on {Quiet.device}", spent, "s", "limit ≤ 2 s for any one", 2.0)
    median = statistics.median(times.values())
    yield Figure(BENCH, f"median of {len(times)} families, {SIZE_PX}²", median, "s", "limit ≤ 1 s", 1.0)
    yield Figure(BENCH, f"slowest of {len(times)} families, {SIZE_PX}²", max(times.values()), "s", "limit ≤ 2 s", 2.0)


def _secs(family: str) -> float:
    params = msgspec.convert({"family": family, "size_px": SIZE_PX}, ProceduralMaterialParams)
    start = time.perf_counter()
    for _ in run_material(Request(params, 1), Quiet()):
        pass
    return time.perf_counter() - start
