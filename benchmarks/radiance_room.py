"""Splats from pictures of a room whose surfaces are known: quality by time, and how true the surfaces are.

A second scene beside the fox, so that nothing is tuned to one capture alone; the tests draw it, and no data is needed.
Twenty-four pictures of 320×240, every sixth of them held out. Times are of training alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator

import numpy as np

from benchmarks.figures import Figure, note
from generators.radiance.trainer import Trainer, TrainerSettings
from tests.generators.radiance import known_scene
from tests.generators.radiance.surface_errors import angles_deg

COUNT, EVERY, FIRST_HELD = 24, 6, 3
MARKS_SECS = (5.0, 10.0, 20.0)
TARGET_DB = 30.0
FREE, SMOOTH = 0.0, 0.05
"""Weights of the normals."""


def run() -> Iterator[Figure]:
    """All figures; two minutes."""
    note(f"load average {os.getloadavg()[0]:.1f} at the start; {os.cpu_count()} cores")
    seen = known_scene.views(COUNT, width=320, height=240)
    errors = {}
    for weight in (FREE, SMOOTH):
        name = "room 320×240" if weight == FREE else f"room 320×240, normal weight {weight:g}"
        trainer = yield from _trained(seen, weight, name)
        angles = [angles_deg(trainer, seen[index]) for index in range(FIRST_HELD, COUNT, EVERY)]
        errors[weight] = [float(np.mean([each[which].mean() for each in angles])) for which in (0, 1)]
        for what, found, free in zip(("depth", "splats"), errors[weight], errors[FREE], strict=True):
            yield Figure("radiance_room", f"normals of the {what}, {name}", found, "°", "without the weight", free)
    note(f"load average {os.getloadavg()[0]:.1f} at the end")


def _trained(seen: list[known_scene.View], weight: float, name: str) -> Generator[Figure, None, Trainer]:
    """Train on most views; held-out quality at the marks and at the end."""
    photographs = known_scene.photographs(seen)
    judged = photographs[FIRST_HELD::EVERY]
    views = [one for index, one in enumerate(photographs) if index % EVERY != FIRST_HELD]
    began = time.perf_counter()
    trainer = Trainer(views, TrainerSettings(iterations=1200, splats_max=30_000, seed=1, normal_weight=weight))
    spent, marks = time.perf_counter() - began, list(MARKS_SECS)
    while not trainer.done:
        began = time.perf_counter()
        trainer.step()
        spent += time.perf_counter() - began
        if marks and spent >= marks[0]:
            quality = trainer.evaluate(judged)
            at_mark = f"PSNR at {marks.pop(0):.0f} s, {name}"
            yield Figure("radiance_room", at_mark, quality.psnr, "dB", "goal ≥ 30 dB", TARGET_DB)
    quality = trainer.evaluate(judged)
    yield Figure("radiance_room", f"PSNR at the end, {name}", quality.psnr, "dB", "goal ≥ 30 dB", TARGET_DB)
    yield Figure("radiance_room", f"SSIM at the end, {name}", quality.ssim, "", "1 is the photograph", 1.0)
    yield Figure("radiance_room", f"a step, {name}", spent / trainer.iteration * 1e3, "ms", "goal ≤ 40 ms", 40.0)
    return trainer
