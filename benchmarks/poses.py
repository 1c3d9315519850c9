"""Camera poses from nothing: how many photographs are placed, how far from the given poses, in how many seconds.

Needs the fox photographs beside the checkout. Their given poses come from COLMAP at another size, so that differences
are those of two reconstructions, not errors of one. CPU seconds include COLMAP's process; wall seconds depend on load.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, note
from generators.events import Note, Progress
from generators.radiance.archive import open_source
from generators.radiance.capture import read_capture
from generators.radiance.capture_specs import CapturePosesParams
from generators.radiance.photographs import held_out, load_photographs
from generators.radiance.poses.finding import Found, find_poses
from generators.radiance.trainer import Trainer, TrainerSettings

FOX = Path(__file__).resolve().parents[2] / "shared" / "data" / "fox"
LIMITS = {"features": 36.0, "matching": 62.0, "mapping": 18.0}
"""Seconds of COLMAP's own commands on two cores, exhaustive matching, 50 photographs at 800 px."""
TRAINING = TrainerSettings(iterations=1000, splats_max=20_000)
SIDE_PX = 240


def run() -> Iterator[Figure]:
    """All figures; minutes."""
    if not FOX.exists():
        note(f"no photographs at {FOX}: nothing is measured")
        return
    note(f"load average {os.getloadavg()[0]:.1f} at the start; {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="scenecast-") as folder:
        root = Path(folder)
        shutil.copytree(FOX / "images", root / "fox" / "images")
        (root / "scratch").mkdir()
        yield from placing(root)
        yield from training(root)


def placing(root: Path) -> Iterator[Figure]:
    """Poses, held against those that came with the photographs."""
    started, cpu = time.perf_counter(), _cpu_secs()
    found = found_in(root)
    wall, cpu = time.perf_counter() - started, _cpu_secs() - cpu
    given = {frame.file: frame.world_from_camera for frame in read_capture(FOX).frames}
    true = np.stack([given[name] for name in found.placed])
    translation, rotation = differences(found.world_from_camera, true)
    yield Figure("poses", "fox, placed", len(found.placed), "of 50", "promise ≥ 45", 45)
    yield Figure("poses", "fox, rotation, median", float(np.median(rotation)), "°", "promise ≤ 1", 1)
    yield Figure("poses", "fox, rotation, largest", float(rotation.max()), "°", "promise ≤ 1", 1)
    yield Figure("poses", "fox, translation, median", 100 * float(np.median(translation)), "%", "promise ≤ 2", 2)
    yield Figure("poses", "fox, translation, largest", 100 * float(translation.max()), "%", "promise ≤ 2", 2)
    for stage, secs in found.answer.secs.items():
        if stage in LIMITS:
            yield Figure("poses", f"fox, {stage}", secs, "s", "COLMAP's own", LIMITS[stage])
    yield Figure("poses", "fox, in all, wall", wall, "s", "COLMAP's own", sum(LIMITS.values()))
    memory_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    yield Figure("poses", "fox, COLMAP's process, memory", memory_gb, "GiB", "promise ≤ 3", 3)
    yield Figure("poses", "fox, in all, CPU", cpu, "s", "two cores for that time", 2 * sum(LIMITS.values()))


def found_in(root: Path) -> Found:
    """The poses; stages are told on the error stream."""
    with open_source(root / "fox") as source:
        running = find_poses(source, root / "scratch", CapturePosesParams(), seed=1, check=lambda: None)
        told = ""
        while True:
            try:
                event = next(running)
            except StopIteration as stopped:
                found: Found = stopped.value
                return found
            if isinstance(event, Progress):
                stage = event.stage.partition(":")[0]
                if stage != told:
                    note(stage)
                told = stage
            elif isinstance(event, Note):
                note(event.text)


def differences(found: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """By view after the best similarity (Umeyama 1991): translation in rig radii, rotation in degrees."""
    here, there = (poses[:, :3, 3] - poses[:, :3, 3].mean(0) for poses in (found, true))
    left, sizes, right = np.linalg.svd(there.T @ here)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left * signs @ right
    scale = float((sizes * signs).sum() / (here**2).sum())
    off = np.linalg.norm(there - scale * here @ rotation.T, axis=1) / float(np.sqrt((there**2).sum(1).mean()))
    cosine = (np.einsum("nij,nij->n", rotation @ found[:, :3, :3], true[:, :3, :3]) - 1) / 2
    return off, np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def training(root: Path) -> Iterator[Figure]:
    """Held-out quality of splats on the found poses and on the given ones, the same photographs held out."""
    placed = {Path(frame.file).name for frame in read_capture(root / "scratch" / "posed.zip").frames}
    scores = {}
    for name, path in (("given", FOX), ("found", root / "scratch" / "posed.zip")):
        capture = read_capture(path)
        photographs = [
            one for one in load_photographs(capture, longest_side_px=SIDE_PX)[0] if Path(one.name).name in placed
        ]
        photographs.sort(key=lambda one: Path(one.name).name)  # so that the same ones are held out
        held = list(held_out(len(photographs), 8))
        views = [one for one, out in zip(photographs, held, strict=True) if not out]
        trainer = Trainer(views, TRAINING, points=capture.points if name == "found" else None)
        while not trainer.done:
            trainer.step()
        scores[name] = trainer.evaluate([one for one, out in zip(photographs, held, strict=True) if out]).psnr
        note(f"{name} poses: {scores[name]:.2f} dB")
    loss = scores["given"] - scores["found"]
    yield Figure("poses", "fox, splats lose against given poses", loss, "dB", "promise ≤ 1", 1)


def _cpu_secs() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )
