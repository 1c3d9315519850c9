"""Training on a graphics card: time to 27 dB and quality after 7000 steps, beside nerfstudio's splatfacto.

The peer runs in its own environment, the one that SCENECAST_NERFSTUDIO_PYTHON names; without one that is said, and our
figures stand against the goal alone. gsplat's own trainer is an example in its repository that its package does not
install; splatfacto draws with gsplat too. The first step is not counted: gsplat may compile its kernels there.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.figures import Figure, note
from engines.assets import Splats
from generators.events import GeneratorError
from generators.fields.nerfstudio.contract import Method, export_command, train_command, trained_in, visible_to
from generators.fields.nerfstudio.dataset import write_dataset
from generators.fields.nerfstudio.process import lines_of
from generators.fields.nerfstudio.provider import ENVIRONMENT, brought_home
from generators.fields.settings import FieldSettings
from generators.fields.specs import NERFSTUDIO
from generators.fields.trainer import FieldTrainer
from generators.located import found, missing
from generators.radiance.losses import photometric, psnr
from generators.radiance.parameters import from_splats
from generators.radiance.photographs import Photograph
from generators.radiance.rasterizer import Rules, backend_for, unfit
from generators.radiance.trainer import Quality, Trainer, TrainerSettings

TARGET_DB = 27.0
STEPS = 7000
SPLATS_MAX = 200_000
FIELD_STEPS = 4000
LOOK_SECS = 1.0
"""Of training between two looks at the held-out views."""
GIVE_UP_SECS = 300.0


class Training(Protocol):
    """What both trainers offer."""

    @property
    def done(self) -> bool: ...

    def step(self) -> object: ...

    def evaluate(self, photographs: Sequence[Photograph]) -> Quality: ...


@dataclass
class Ran:
    """Seconds of training, seconds until the target was reached if it was, steps, and the quality at the end."""

    secs: float
    target_secs: float | None
    steps: int
    quality: Quality


def card() -> str | None:
    """The first graphics card, told on the error stream; None where torch sees none."""
    import torch

    if not torch.cuda.is_available():
        return None
    note(f"on {torch.cuda.get_device_name(0)}, torch {torch.__version__}")
    return "cuda:0"


def splat_figures(views: list[Photograph], judged: list[Photograph], device: str, size: str) -> Iterator[Figure]:
    """Our splats on a device, and splatfacto's on the same photographs, judged by the same renderer."""
    if reason := unfit(device):
        note(f"{reason}: the splats are trained on the processor")
    settings = TrainerSettings(iterations=STEPS, splats_max=SPLATS_MAX, sh_degree=3)
    trainer = Trainer(views, settings, device=device)
    ours = trained(trainer, judged)
    peer, named = peer_of("splatfacto", views, judged, device)
    yield from _figures("radiance", f"splats {size}", ours, peer, named)
    yield Figure("radiance", f"a step, {size}", 1e3 * ours.secs / max(ours.steps, 1), "ms", "16 steps a second", 62.5)
    yield from _memory("radiance", size, device)


def field_figures(views: list[Photograph], judged: list[Photograph], device: str, size: str) -> Iterator[Figure]:
    """Our field on a device, against the goal alone: nerfacto exports points, which are not what it would show."""
    ours = trained(FieldTrainer(views, FieldSettings(iterations=FIELD_STEPS), device=device), judged)
    yield from _figures("fields", f"field {size}", ours, None, "goal")
    yield Figure("fields", f"a step, {size}", 1e3 * ours.secs / max(ours.steps, 1), "ms", "10 steps a second", 100.0)
    yield from _memory("fields", size, device)


def trained(trainer: Training, judged: list[Photograph]) -> Ran:
    """Train to the end; the clock stands while the held-out views are looked at."""
    trainer.step()
    spent, looked, steps, reached = 0.0, 0.0, 1, None
    while not trainer.done and spent < GIVE_UP_SECS:
        began = time.perf_counter()
        trainer.step()
        spent += time.perf_counter() - began
        steps += 1
        if reached is None and spent - looked > LOOK_SECS:
            looked = spent
            if trainer.evaluate(judged).psnr >= TARGET_DB:
                reached = spent
    return Ran(spent, reached, steps, trainer.evaluate(judged))


def peer_of(method: Method, views: list[Photograph], judged: list[Photograph], device: str) -> tuple[Ran | None, str]:
    """What nerfstudio reaches with the same photographs and steps, and what it is called; None where it is not here."""
    python = found(NERFSTUDIO)
    if python is None:
        note(f"no peer is measured: {missing(NERFSTUDIO)} (SCENECAST_NERFSTUDIO_PYTHON)")
        return None, "goal"
    with tempfile.TemporaryDirectory(prefix="scenecast-peer-") as name:
        folder = Path(name)
        data = write_dataset(views, folder / "data")
        environment = ENVIRONMENT | visible_to(device, os.environ)
        command = train_command(python, method, data, folder / "outputs", iterations=STEPS, seed=0)
        try:
            spent = _timed(lambda: list(lines_of(command, _go_on, folder=folder, environment=environment)))
            result = trained_in(folder / "outputs", method)
            export = export_command(python, method, result.config, folder / "exported", points=100_000)
            list(lines_of(export, _go_on, folder=folder, environment=environment))
            quality = judged_splats(brought_home(folder / "exported", method, result), judged, device)
        except GeneratorError as error:
            note(f"the peer {method} failed: {error}")
            return None, "goal"
    note(f"{method} took {spent:.0f} s, its start included")
    return Ran(spent, None, STEPS, quality), f"{method}, {STEPS} steps, start included"


def judged_splats(splats: Splats, judged: list[Photograph], device: str) -> Quality:
    """How well a cloud reproduces views, drawn by our renderer over black."""
    backend, cloud, black = backend_for(device), from_splats(splats), np.zeros(3, np.float32)
    scores = []
    for photograph in judged:
        camera = photograph.camera
        projection = backend.project(cloud, camera, Rules())
        image = backend.rasterize(projection, projection.colour, black, camera.width, camera.height).image
        target = np.asarray(photograph.pixels, np.float32) * np.float32(1 / 255)
        scores.append((psnr(image, target), photometric(np.clip(image, 0, 1), target).ssim))
    mean = np.mean(scores, axis=0)
    return Quality(float(mean[0]), float(mean[1]))


def _figures(bench: str, what: str, ours: Ran, peer: Ran | None, named: str) -> Iterator[Figure]:
    target_secs = ours.target_secs
    if target_secs is None:
        note(f"{what}: {TARGET_DB:g} dB were not reached in {ours.secs:.0f} s")
    else:
        against = ("peer to its end", peer.secs) if peer else ("goal ≤ 30 s", 30.0)
        yield Figure(bench, f"time to {TARGET_DB:g} dB held out, {what}", target_secs, "s", *against)
    quality = peer.quality if peer else Quality(TARGET_DB, 1.0)
    yield Figure(bench, f"PSNR after {ours.steps} steps, {what}", ours.quality.psnr, "dB", named, quality.psnr)
    yield Figure(bench, f"SSIM after {ours.steps} steps, {what}", ours.quality.ssim, "", named, quality.ssim)
    yield Figure(bench, f"training, {what}", ours.secs, "s", named, peer.secs if peer else GIVE_UP_SECS)


def _memory(bench: str, what: str, device: str) -> Iterator[Figure]:
    if device.startswith("cuda"):
        import torch

        peak = torch.cuda.max_memory_allocated(device) / 2**30
        yield Figure(bench, f"memory of the card, {what}", peak, "GiB", "a card of 8 GiB", 8.0)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _go_on() -> None:
    """Nobody cancels a bench."""
