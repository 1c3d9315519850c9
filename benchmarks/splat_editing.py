"""Editing splat clouds: seconds for a million splats on the CPU, and what thinning out costs in quality.

Seconds are of one run without previews, after one that compiles: by the wall, and of all cores together. The clouds
are made here: an even, opaque relief under haze, which is harder to thin than most captures. A loaded machine is told
on the error stream.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, note
from engines.assets import Array, Asset, Splats
from engines.splat_values import dc_from_colour
from generators.events import Produced, Request
from generators.radiance.cameras import looking_at
from generators.spec import Params
from generators.splats.clouds import importance, taken
from generators.splats.neighbours import Neighbours
from generators.splats.params import (
    CleanParams,
    CropParams,
    DecimateParams,
    MergeParams,
    RecolourParams,
    RelightParams,
    TransformParams,
)
from generators.splats.pictures import psnr, rendered

MILLION = 1_000_000
THINNED = 60_000


@dataclass
class Quiet:
    """A context that remembers the longest time between two looks at whether the job was cancelled."""

    device: str = "cpu"
    scratch: Path = field(default_factory=Path)
    wants_previews: bool = False
    longest_secs: float = 0.0
    _last: float = 0.0

    def check(self) -> None:
        now = time.perf_counter()
        if self._last:
            self.longest_secs = max(self.longest_secs, now - self._last)
        self._last = now


def relief(count: int, *, harmonics: int = 4, seed: int = 0) -> Splats:
    """A coloured relief of flat splats, a tenth of them haze above it."""
    rng = np.random.default_rng(seed)
    haze = count // 10
    x, z = rng.uniform(-1, 1, (2, count))
    y = 0.25 * np.sin(3 * x) * np.cos(2 * z) + 0.03 * np.sin(21 * x + 4 * z)
    y[:haze] += rng.exponential(0.2, haze)
    spacing = 2 / np.sqrt(count)
    colours = np.stack(
        [0.5 + 0.4 * np.sin(9 * x + z), 0.5 + 0.4 * np.sin(7 * z - 2 * x), 0.5 + 0.4 * np.cos(8 * x * z)]
    )
    sh = np.zeros((count, harmonics, 3), np.float32)
    sh[:, 0] = dc_from_colour(colours.T)
    sh[:, 1:] = rng.normal(0, 0.03, (count, harmonics - 1, 3))
    rotations = np.concatenate([np.ones((count, 1)), rng.normal(0, 0.15, (count, 3))], axis=1)
    opacities = rng.uniform(0.5, 0.98, count)
    opacities[:haze] *= 0.05
    return Splats(
        positions=np.stack([x, y, z], -1).astype(np.float32),
        rotations=(rotations / np.linalg.norm(rotations, axis=1, keepdims=True)).astype(np.float32),
        scales=(spacing * rng.uniform([0.5, 0.08, 0.5], [1.1, 0.2, 1.1], (count, 3))).astype(np.float32),
        opacities=opacities.astype(np.float32),
        sh=sh,
        name="relief",
    )


def edited(editor: str, params: Params, context: Quiet, **inputs: Asset) -> Splats:
    """Run one editor without its process."""
    result: Splats | None = None
    for event in importlib.import_module(f"generators.splats.{editor}").run(Request(params, 1, inputs), context):
        context.check()
        if isinstance(event, Produced) and isinstance(event.asset, Splats):
            result = event.asset
    assert result is not None
    return result


def run() -> Iterator[Figure]:
    """All figures; about three minutes."""
    note(f"load average {os.getloadavg()[0]:.1f} at the start; {os.cpu_count()} cores")
    yield from neighbour_figures()
    yield from speed_figures()
    yield from thinning_figures()
    note(f"load average {os.getloadavg()[0]:.1f} at the end")


def speed_figures() -> Iterator[Figure]:
    """Seconds for a million splats of degree 1, against limits; and the longest silence of all of them."""
    cloud = relief(MILLION)
    work: tuple[tuple[str, Params, float, dict[str, Asset]], ...] = (
        ("crop", CropParams(shape="sphere", radius_m=0.8, softness_m=0.1), 1.0, {}),
        ("transform", TransformParams(rotate_x_deg=20, rotate_y_deg=50, scale=2.0), 1.0, {}),
        ("clean", CleanParams(), 10.0, {}),
        ("decimate", DecimateParams(share=0.5), 10.0, {}),
        ("decimate", DecimateParams(share=0.1), 20.0, {}),
        ("recolour", RecolourParams(contrast=1.2, temperature_k=5000), 10.0, {}),
        ("relight", RelightParams(), 30.0, {}),
        ("merge", MergeParams(duplicates="remove"), 10.0, {"cloud2": taken(cloud, np.arange(MILLION // 2))}),
    )
    longest = 0.0
    for editor, params, limit_secs, more in work:
        edited(editor, params, Quiet(), cloud=taken(cloud, np.arange(5000)), **more)  # the kernels are compiled here
        context = Quiet()
        start, used = time.perf_counter(), time.process_time()
        left = edited(editor, params, context, cloud=cloud, **more)
        spent, cpu = time.perf_counter() - start, time.process_time() - used
        longest = max(longest, context.longest_secs)
        what = f"{editor} to {len(left.positions):,}" if editor == "decimate" else editor
        note(f"{what}: {spent:.2f} s wall, at most {context.longest_secs * 1e3:.0f} ms between checks")
        yield Figure(
            "splat_editing", f"{what}, 1 M splats, CPU", cpu, "s", f"limit ≤ 2 × {limit_secs:g} s", 2 * limit_secs
        )
        yield Figure("splat_editing", f"{what}, 1 M splats, wall", spent, "s", f"limit ≤ {limit_secs:g} s", limit_secs)
    yield Figure("splat_editing", "longest wait for a cancel", longest, "s", "limit ≤ 1 s", 1.0)


def neighbour_figures() -> Iterator[Figure]:
    """The tree of neighbours against all pairs in numpy, at a size where that still ends."""
    points = relief(6000).positions
    tree_secs, pairs_secs = [], []
    for _ in range(4):
        start = time.perf_counter()
        distances, _ = Neighbours(points).nearest(8)
        tree_secs.append(time.perf_counter() - start)
        start = time.perf_counter()
        slow = _by_pairs(points, 8)
        pairs_secs.append(time.perf_counter() - start)
    assert np.allclose(distances, slow, atol=1e-6)
    yield Figure("splat_editing", "8 nearest of 6000", min(tree_secs), "s", "numpy, all pairs", min(pairs_secs))


def _by_pairs(points: Array, count: int) -> Array:
    points = points.astype(np.float64)
    square = (points**2).sum(1)
    distances = square[:, None] + square[None] - 2 * (points @ points.T)
    np.fill_diagonal(distances, np.inf)
    nearest = np.sort(np.partition(distances, count, axis=1)[:, :count], axis=1)
    return np.asarray(np.sqrt(np.maximum(nearest, 0)))


def thinning_figures() -> Iterator[Figure]:
    """PSNR over five views of what is left, against the best of dropping at random, by opacity and by importance."""
    cloud = relief(THINNED)
    cameras = [
        looking_at(eye, (0, 0, 0), fov_y_deg=45, width=320, height=320)
        for eye in ((0.7, 1.4, 2.2), (-1.6, 1.0, 1.4), (0.1, 2.6, 0.4), (2.0, 0.7, -0.6), (-0.8, 0.6, -2.1))
    ]
    truth = [rendered(cloud, camera) for camera in cameras]

    def likeness(other: Splats) -> float:
        return float(np.mean([psnr(rendered(other, c), t) for c, t in zip(cameras, truth, strict=True)]))

    for share in (0.5, 0.25, 0.1):
        ours = likeness(edited("decimate", DecimateParams(share=share), Quiet(), cloud=cloud))
        budget = round(share * THINNED)
        orders = {
            "at random": np.random.default_rng(0).permutation(THINNED),
            "by opacity": np.argsort(-cloud.opacities, kind="stable"),
            "by importance": np.argsort(-importance(cloud), kind="stable"),
        }
        for name, order in orders.items():
            theirs = likeness(taken(cloud, np.sort(order[:budget])))
            yield Figure("splat_editing", f"thinned to {share:.0%}", ours, "dB", f"dropped {name}", theirs)
