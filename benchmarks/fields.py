"""Radiance fields from photographs: held-out quality by time beside our splats, milliseconds by part; then on a card.

Needs the fox photographs beside the checkout; every 8th is held out. Both train on the same pictures in the same
process, turn by turn. Seconds are CPU seconds of training divided by the threads that work, which is the time on a
quiet machine and hardly changes on a loaded one; evaluation is not counted, wall seconds go to the error stream.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numba
import numpy as np

from benchmarks import cards
from benchmarks.figures import Figure, note
from generators.fields.rendering import opened, render
from generators.fields.settings import FieldSettings
from generators.fields.trainer import PARTS, FieldTrainer
from generators.fields.warm import compile_kernels
from generators.radiance.capture import read_capture
from generators.radiance.photographs import Photograph, held_out, load_photographs
from generators.radiance.trainer import Quality, Trainer, TrainerSettings

FOX = Path(__file__).resolve().parents[2] / "shared" / "data" / "fox"
SIDE_PX = 240
MARKS_SECS = (20.0, 60.0, 120.0, 240.0)
TURN_SECS = 5.0
PLANS = {20.0: (280, 600, 30_000), 60.0: (1400, 1800, 45_000), 120.0: (2900, 3000, 60_000), 240.0: (5800, 6000, 60_000)}
"""Steps of the field, steps and number of the splats, laid out for so many seconds on two cores."""


@dataclass
class Runner:
    """One trainer, the time it has had and how good it was at the end."""

    name: str
    step: Callable[[], object]
    done: Callable[[], bool]
    evaluate: Callable[[], Quality]
    spent: float = 0.0
    wall: float = 0.0
    steps: int = 0
    parts: dict[str, float] = field(default_factory=dict)

    def turn(self, until: float) -> None:
        """Train for up to `TURN_SECS`, or until it has had `until` seconds in all."""
        stop = min(until, self.spent + TURN_SECS)
        while self.spent < stop and not self.done():
            wall, cpu = time.perf_counter(), time.process_time()
            report = self.step()
            self.wall += time.perf_counter() - wall
            self.spent += (time.process_time() - cpu) / numba.get_num_threads()
            self.steps += 1
            for part, secs in getattr(report, "seconds", {}).items():
                self.parts[part] = self.parts.get(part, 0.0) + secs


def run() -> Iterator[Figure]:
    """All figures; a quarter of an hour."""
    if not FOX.exists():
        note(f"no photographs at {FOX}: there is nothing to measure")
        return
    photographs, _ = load_photographs(read_capture(FOX), longest_side_px=SIDE_PX)
    kept = list(held_out(len(photographs), 8))
    views = [p for p, held in zip(photographs, kept, strict=True) if not held]
    judged = [p for p, held in zip(photographs, kept, strict=True) if held]
    compile_kernels()
    device = cards.card()
    if device is not None:
        yield from cards.field_figures(views, judged, device, f"{SIDE_PX} px")
        return
    note("torch sees no graphics card: the figures are the processor's")
    for mark in MARKS_SECS:
        yield from race(views, judged, mark)


def race(views: list[Photograph], judged: list[Photograph], mark: float) -> Iterator[Figure]:
    """A field and a cloud of splats, each laid out for `mark` seconds."""
    note(f"load average {os.getloadavg()[0]:.1f} before {mark:.0f} s")
    steps, splat_steps, splats = PLANS[mark]
    trainer = FieldTrainer(views, FieldSettings(iterations=steps))
    cloud = Trainer(views, TrainerSettings(iterations=splat_steps, splats_max=splats))
    cloud.step()
    runners = [
        Runner("field", trainer.step, lambda: trainer.done, lambda: trainer.evaluate(judged)),
        Runner("splats", cloud.step, lambda: cloud.done, lambda: cloud.evaluate(judged)),
    ]
    while any(runner.spent < mark and not runner.done() for runner in runners):
        for runner in runners:
            runner.turn(mark)
    found = {runner.name: runner.evaluate() for runner in runners}
    for runner in runners:
        quality = found[runner.name]
        note(
            f"{runner.name} at {mark:.0f} s: {quality.psnr:.2f} dB, SSIM {quality.ssim:.3f}, {runner.steps} steps, "
            f"{runner.spent:.0f} s by CPU, {runner.wall:.0f} s by the clock"
        )
    peer = found["splats"]
    yield Figure("fields", f"PSNR at {mark:.0f} s", found["field"].psnr, "dB", "our splats, same time", peer.psnr)
    yield Figure("fields", f"SSIM at {mark:.0f} s", found["field"].ssim, "", "our splats, same time", peer.ssim)
    yield Figure("fields", f"time taken of {mark:.0f} s", runners[0].spent, "s", "our splats", runners[1].spent)
    if mark == MARKS_SECS[-1]:
        yield from details(trainer, runners[0], judged)


def details(trainer: FieldTrainer, runner: Runner, judged: list[Photograph]) -> Iterator[Figure]:
    """Milliseconds of a step by part, of a rendered view, and the size of the asset."""
    whole = sum(runner.parts.values()) / runner.steps * 1e3
    for part in PARTS:
        yield Figure("fields", f"{part} a step", runner.parts[part] / runner.steps * 1e3, "ms", "whole step", whole)
    asset = trainer.field()
    ready, times = opened(asset), []
    for photograph in judged:
        began = time.perf_counter()
        render(ready, photograph.camera)
        times.append(time.perf_counter() - began)
    yield Figure("fields", f"a view of {SIDE_PX} px", float(np.median(times)) * 1e3, "ms", "interactive", 100.0)
    size = sum(array.nbytes for array in (asset.bricks, asset.occupied, asset.density, asset.sh))
    yield Figure("fields", "size of the asset", size / 1e6, "MB", "its lattice, dense", asset.cells**3 * 52 / 1e6)
