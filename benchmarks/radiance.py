"""Splats from photographs: milliseconds by part, quality by time, and the time to the first cloud; then on a card.

Needs the fox photographs beside the checkout; every 8th is held out. Times are of training alone, evaluation not
counted. A loaded machine is told on the error stream: compare runs with like load only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import cards
from benchmarks.figures import Figure, note, secs
from generators.radiance.cameras import looking_at
from generators.radiance.capture import read_capture
from generators.radiance.parameters import Parameters
from generators.radiance.photographs import Photograph, held_out, load_photographs
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.trainer import PARTS, Quality, Trainer, TrainerSettings

FOX = Path(__file__).resolve().parents[2] / "shared" / "data" / "fox"
MARKS_SECS = (20.0, 60.0, 120.0, 240.0)
TARGET_DB = 30.0
OPENSPLAT_DB, OPENSPLAT_SECS = 27.4, 98.5
"""Its CPU build at 135×240, the same 43 photographs, 1000 iterations, on a quiet machine of this kind."""
FIRST_CLOUD_SECS = 5.0
CHECK_EVERY_SECS = 5.0


@dataclass(frozen=True)
class Race:
    """One resolution, its settings, and the seconds in which it is to reach 30 dB on two quiet cores, if any."""

    name: str
    side_px: int
    settings: TrainerSettings
    goal_secs: float | None


RACES = (
    Race("135×240", 240, TrainerSettings(iterations=1200, splats_max=30_000), 40.0),
    Race("270×480", 480, TrainerSettings(iterations=1700, splats_max=60_000), 100.0),
    Race("270×480 long", 480, TrainerSettings(iterations=4600, splats_max=60_000), None),
)


def run() -> Iterator[Figure]:
    """All figures; minutes."""
    note(f"load average {os.getloadavg()[0]:.1f} at the start; {os.cpu_count()} cores")
    yield from rasterizer_figures()
    if not FOX.exists():
        note(f"no photographs at {FOX}: the training figures are left out")
        return
    device = cards.card()
    if device is None:
        note("torch sees no graphics card: the figures are the processor's")
        for race in RACES:
            yield from training_figures(race)
        return
    for side_px, size in ((480, "270×480"), (960, "540×960")):
        views, judged = split(side_px)
        yield from cards.splat_figures(views, judged, device, size)


def split(side_px: int) -> tuple[list[Photograph], list[Photograph]]:
    """The photographs to train on, and every eighth to judge by."""
    photographs, _ = load_photographs(read_capture(FOX), longest_side_px=side_px)
    kept = list(held_out(len(photographs), 8))
    views = [p for p, held in zip(photographs, kept, strict=True) if not held]
    return views, [p for p, held in zip(photographs, kept, strict=True) if held]


def rasterizer_figures() -> Iterator[Figure]:
    """Forward and backward of 100 000 splats at 512², against the prototype's 52 and 79 ms on a quiet machine."""
    rng = np.random.default_rng(0)
    count = 100_000
    cloud = Parameters(
        positions=rng.uniform(-1.2, 1.2, (count, 3)).astype(np.float32),
        log_scales=rng.normal(-4.4, 0.4, (count, 3)).astype(np.float32),
        quaternions=rng.normal(size=(count, 4)).astype(np.float32),
        logits=rng.normal(0.5, 1.5, count).astype(np.float32),
        sh=rng.normal(0, 0.3, (count, 4, 3)).astype(np.float32),
    )
    camera = looking_at((0.4, 0.8, 3.2), (0, 0, 0), fov_y_deg=50, width=512, height=512)
    backend, rules, black = NumbaBackend(), Rules(), np.zeros(3, np.float32)
    projection = backend.project(cloud, camera, rules)
    raster = backend.rasterize(projection, projection.colour, black, 512, 512)
    gradient = rng.normal(size=raster.image.shape).astype(np.float32)
    flat = backend.rasterize_backward(raster, gradient)
    work = {
        "project": (lambda: backend.project(cloud, camera, rules, sound=True), 10.0),
        "rasterize": (lambda: backend.rasterize(projection, projection.colour, black, 512, 512), 42.0),
        "rasterize backward": (lambda: backend.rasterize_backward(raster, gradient), 61.0),
        "project backward": (lambda: backend.project_backward(cloud, camera, rules, projection, flat), 18.0),
    }
    for part, (call, prototype_ms) in work.items():
        best = min(secs(call, rounds=9, warmup=2)) * 1e3
        yield Figure("radiance", f"{part}, 100k splats 512²", best, "ms", "prototype, its own scene", prototype_ms)


def training_figures(race: Race) -> Iterator[Figure]:
    """Load, seed and train one resolution; quality at the marks, time to 30 dB, milliseconds by part."""
    start = time.perf_counter()
    views, judged = split(race.side_px)
    trainer = Trainer(views, race.settings)
    before = time.perf_counter() - start
    yield Figure("radiance", f"first cloud, {race.name}", before, "s", "limit ≤ 5 s", FIRST_CLOUD_SECS)
    yield from _trained(race, trainer, judged, before)


def _at_mark(race: Race, mark_secs: float, quality: Quality) -> Iterator[Figure]:
    named = f"at {mark_secs:.0f} s, {race.name}"
    yield Figure("radiance", f"PSNR {named}", quality.psnr, "dB", "goal ≥ 30 dB", TARGET_DB)
    yield Figure("radiance", f"SSIM {named}", quality.ssim, "", "1 is the photograph", 1.0)


def _trained(race: Race, trainer: Trainer, judged: list[Photograph], spent: float) -> Iterator[Figure]:
    """Seconds count from the reading of the first photograph on."""
    trainer.step()  # the kernels are compiled or read from the cache here
    parts = dict.fromkeys(PARTS, 0.0)
    marks, checked = list(MARKS_SECS), spent
    reached: dict[float, float] = {}
    while not trainer.done and spent <= MARKS_SECS[-1]:
        began = time.perf_counter()
        report = trainer.step()
        spent += time.perf_counter() - began
        for part in PARTS:
            parts[part] += report.seconds[part]
        at_mark = bool(marks) and spent >= marks[0]
        if at_mark or spent - checked >= CHECK_EVERY_SECS or trainer.done:
            quality, checked = trainer.evaluate(judged), spent
            for level in (OPENSPLAT_DB, TARGET_DB):
                if quality.psnr >= level:
                    reached.setdefault(level, spent)
            note(f"{race.name}: {spent:.0f} s, step {trainer.iteration}, {report.splats} splats, {quality.psnr:.2f} dB")
            if at_mark:
                yield from _at_mark(race, marks.pop(0), quality)
    quality = trainer.evaluate(judged)
    yield Figure(
        "radiance", f"PSNR at the end ({spent:.0f} s), {race.name}", quality.psnr, "dB", "goal ≥ 30 dB", TARGET_DB
    )
    if TARGET_DB in reached and race.goal_secs:
        goal = f"goal ≤ {race.goal_secs:.0f} s"
        yield Figure("radiance", f"time to 30 dB held out, {race.name}", reached[TARGET_DB], "s", goal, race.goal_secs)
    if OPENSPLAT_DB in reached and race.side_px == 240:
        figure, peer = f"time to {OPENSPLAT_DB} dB, {race.name}", "OpenSplat on CPU, as noted; goal ≤ 0.33"
        yield Figure("radiance", figure, reached[OPENSPLAT_DB], "s", peer, OPENSPLAT_SECS)
    steps = max(trainer.iteration - 1, 1)
    for part, total in parts.items():
        yield Figure(
            "radiance",
            f"{part} a step, {race.name}",
            total / steps * 1e3,
            "ms",
            "whole step",
            sum(parts.values()) / steps * 1e3,
        )
    note(f"load average {os.getloadavg()[0]:.1f} after {race.name}")
