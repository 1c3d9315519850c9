"""Splat formats beside splat-transform: bytes, processor time and what is lost; `python -m benchmarks.splat_formats`
prints the table of docs/splat_formats.md.

Processor seconds, because they hardly depend on what else the machine does. Of the other tool it is the whole command,
with its start and the reading of a plain PLY, so ours reads the same PLY first.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, note
from engines.assets import Splats
from engines.formats import ply, spz
from engines.formats.registry import Limits, decoder, encoder, format_named
from engines.hosts import HOSTS
from engines.spherical_harmonics import basis
from engines.transforms import OPENCV_AXES, rotation_matrices

T = TypeVar("T")
BENCH = "splat_formats"
COUNT = 62_000
PEER = Path(__file__).resolve().parents[1] / "tests/outside/node_modules/@playcanvas/splat-transform/bin/cli.mjs"
PEER_NAME = "splat-transform 2.7.1, same run"
PEER_PATIENCE_SECS = 300
TRAINED = replace(HOSTS["python"], name="trained", axes=OPENCV_AXES)
_REACH_M = 1e-3
_SPZ_4 = "spz, version 4"
_PEER_WRITES = {"compressed_ply": ".compressed.ply", "sog": ".sog", "spz": ".spz", _SPZ_4: ".spz", "glb": ".glb"}
_PEER_OPTIONS = {"sog": ("-g", "cpu"), "spz": ("--spz-version", "3"), _SPZ_4: ("--spz-version", "4")}


@dataclass(frozen=True)
class Lost:
    """Medians over all splats of what a file changed, but for harmonics: root mean square."""

    position_mm: float
    opacity: float
    colour: float
    log_scale: float
    angle_deg: float
    harmonics: float


@dataclass(frozen=True)
class Row:
    """One format at one degree of harmonics; the peer's numbers are nan where it does not write the format."""

    name: str
    degree: int
    kib: float
    write_secs: float
    read_secs: float
    lost: Lost
    peer_kib: float
    peer_secs: float
    peer_harmonics: float
    """What the peer's file changed of the harmonics, as `Lost` has it."""


def run() -> Iterator[Figure]:
    """A cloud of 62 000 splats with harmonics of degree 1 and 3 through every format."""
    for row in rows():
        what = f"{row.name}, {COUNT // 1000}k splats, degree {row.degree}"
        if row.peer_secs == row.peer_secs:
            yield Figure(BENCH, f"{what}: write", row.write_secs, "CPU s", PEER_NAME, row.peer_secs)
            yield Figure(BENCH, f"{what}: size", row.kib, "KiB", PEER_NAME, row.peer_kib)
        else:
            yield Figure(BENCH, f"{what}: write", row.write_secs, "CPU s", "goal ≤ 30 s", 30)
        yield Figure(BENCH, f"{what}: read", row.read_secs, "CPU s", "goal ≤ 1 s", 1)


def rows(degrees: tuple[int, ...] = (1, 3)) -> Iterator[Row]:
    """Measure every format, smallest first to be had."""
    for degree in degrees:
        splats = shaded_cloud(COUNT, degree)
        with tempfile.TemporaryDirectory(prefix="scenecast-bench-") as name:
            folder = Path(name)
            ply.encode(splats, folder, "plain", host=TRAINED)
            for form in ("ply", "compressed_ply", "spz", _SPZ_4, "sog", "splat", "ksplat", "glb", "usd"):
                yield _row(form, degree, splats, folder)


def _row(form: str, degree: int, splats: Splats, folder: Path) -> Row:
    row = format_named(form.split(",")[0])
    write = partial(spz.encode, version=4) if form == _SPZ_4 else encoder(row)
    host = TRAINED if form == "ply" else HOSTS["python"]
    write(splats, folder, "warm", host=host)

    def whole() -> Path:
        cloud = ply.decode(folder / "plain.ply", Limits())
        assert isinstance(cloud, Splats)
        [file] = write(cloud, folder, "ours", host=host)
        return folder / file.file

    path, write_secs = _timed(whole)
    got, read_secs = _timed(lambda: decoder(row)(path, Limits()))
    assert isinstance(got, Splats)
    peer, peer_secs = _peer(form, folder)
    peer_kib = peer.stat().st_size / 1024 if peer else float("nan")
    theirs = decoder(row)(peer, Limits()) if peer and form != "glb" else None  # in GLB it turns the cloud about
    peer_loss = lost(theirs, splats).harmonics if isinstance(theirs, Splats) else float("nan")
    return Row(
        form,
        degree,
        path.stat().st_size / 1024,
        write_secs,
        read_secs,
        lost(got, splats),
        peer_kib,
        peer_secs,
        peer_loss,
    )


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    def spent() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    start = spent()
    result = work()
    return result, spent() - start


def _peer(form: str, folder: Path) -> tuple[Path | None, float]:
    program = shutil.which("node")
    if form not in _PEER_WRITES or program is None or not PEER.exists():
        return None, float("nan")
    target = folder / f"theirs{_PEER_WRITES[form]}"
    order = [program, str(PEER), "-q", "-w", *_PEER_OPTIONS.get(form, ()), str(folder / "plain.ply"), str(target)]
    try:
        _, spent = _timed(lambda: subprocess.run(order, check=True, capture_output=True, timeout=PEER_PATIENCE_SECS))
    except subprocess.TimeoutExpired:
        note(f"{PEER_NAME} did not write {target.name} within {PEER_PATIENCE_SECS} s")
        return None, float("nan")
    return target, spent


def lost(got: Splats, splats: Splats) -> Lost:
    """What a file changed; the splats of most formats come back in another order, and are found by their place."""
    order = _matched(got.positions, splats.positions)
    angle = _angles(got.rotations[order], splats.rotations)
    coefficients = min(got.sh.shape[1], splats.sh.shape[1])
    rest = np.zeros_like(splats.sh[:, 1:])
    rest[:, : coefficients - 1] = got.sh[order, 1:coefficients]
    return Lost(
        float(np.median(np.abs(got.positions[order] - splats.positions))) * 1e3,
        float(np.median(np.abs(got.opacities[order] - splats.opacities))),
        float(np.median(np.abs(got.sh[order, 0] - splats.sh[:, 0]))),
        float(np.median(np.abs(np.log(got.scales[order]) - np.log(splats.scales)))),
        float(np.degrees(np.median(angle))),
        float(np.sqrt(np.mean((rest - splats.sh[:, 1:]) ** 2))),
    )


def _matched(got: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each wanted place the nearest one that was got, among those within a millimetre in x."""
    order = np.argsort(got[:, 0], kind="stable")
    ordered = got[order].astype(np.float64)
    first = np.searchsorted(ordered[:, 0], wanted[:, 0] - _REACH_M)
    last = np.searchsorted(ordered[:, 0], wanted[:, 0] + _REACH_M)
    nearest, best = np.full(len(wanted), np.inf), first.copy()
    for step in range(int((last - first).max())):
        at = np.minimum(first + step, len(ordered) - 1)
        away = ((ordered[at] - wanted) ** 2).sum(axis=1)
        nearer = away < nearest
        nearest[nearer], best[nearer] = away[nearer], at[nearer]
    return order[best]


def _angles(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    trace = np.einsum("nij,nij->n", rotation_matrices(a), rotation_matrices(b))
    return np.asarray(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def shaded_cloud(count: int, degree: int) -> Splats:
    """A lumpy, patterned ball under four lights: highlights in the harmonics as in trained clouds, and some noise."""
    rng = np.random.default_rng(0)
    way = rng.normal(size=(count, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)

    def pattern(width: int, pitch: float) -> NDArray[np.float64]:
        waves = np.sin(way @ (rng.normal(size=(8, 3)) * pitch).T + rng.uniform(0, 6.28, 8))
        return np.asarray(waves @ rng.normal(size=(8, width)) / 3)

    coefficients = (degree + 1) ** 2
    sh = np.zeros((count, coefficients, 3))
    sh[:, 0] = 1.2 * pattern(3, 6.0) + rng.normal(0, 0.1, (count, 3))
    fall = 1 / np.sqrt(1 + np.arange(1, coefficients))
    for _ in range(4):
        light = rng.normal(size=3)
        light /= np.linalg.norm(light)
        mirrored = 2 * (way @ light)[:, None] * way - light
        strength = 0.25 * np.exp(pattern(3, 4.0) - 1.5)
        sh[:, 1:] += basis(mirrored, degree)[:, 1:, None] * strength[:, None] * fall[:, None]
    sh[:, 1:] += rng.normal(0, 0.01, sh[:, 1:].shape)
    turns = rng.normal(size=(count, 4))
    return Splats(
        positions=(way * (1.5 + 0.3 * pattern(1, 3.0)) + rng.normal(0, 0.01, (count, 3))).astype(np.float32),
        rotations=(turns / np.linalg.norm(turns, axis=1, keepdims=True)).astype(np.float32),
        scales=np.exp(-4.5 + 0.6 * pattern(1, 5.0) + rng.normal(0, 0.5, (count, 3))).astype(np.float32),
        opacities=(1 / (1 + np.exp(-1 - 2 * rng.normal(size=count)))).astype(np.float32),
        sh=sh.astype(np.float32),
        name="lumpy ball",
    )


def _main() -> None:
    print(
        "| format | SH | KiB | write s | read s | position mm | opacity | SH 0 | log-scale | rotation | SH 1… rms |",
        end="",
    )
    print(" splat-transform KiB | its s | its rms |\n|" + "---|" * 14)
    for row in rows():
        loss = row.lost
        cells = [row.name, f"{row.degree}", f"{row.kib:.0f}", f"{row.write_secs:.2f}", f"{row.read_secs:.2f}"]
        cells += [f"{loss.position_mm:.2g}", f"{loss.opacity:.2g}", f"{loss.colour:.2g}", f"{loss.log_scale:.2g}"]
        cells += [f"{loss.angle_deg:.2g}°", f"{loss.harmonics:.2g}"]
        cells += [f"{row.peer_kib:.0f}", f"{row.peer_secs:.2f}", f"{row.peer_harmonics:.2g}"]
        print("| " + " | ".join("–" if cell == "nan" else cell for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    _main()
