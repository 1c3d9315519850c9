"""Splats in USD as a `ParticleField3DGaussianSplat`: linear values, quaternions with their real part first, float32.

The stage is +Y up in metres, which is the neutral convention. Harmonics are grouped by splat, degree after degree, in
the order of the original code; each is a float3 of red, green and blue.

A stranger's file is read in a process of its own (`engines.usd_reader`), with a limit to its memory and its time: the
library that reads binary USD is large and native, and its end must not be ours. Nothing the file refers to is opened.

Source: the schema UsdVolParticleField3DGaussianSplat of OpenUSD 26.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from engines.assets import FloatArray, Splats
from engines.conventions import Axes
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats.registry import Limits
from engines.geometry import check_splats, joined_splats
from engines.memory import COMPONENT_BYTES, check_memory, splat_bytes
from engines.spherical_harmonics import COEFFICIENTS, degree_of
from engines.splat_placing import placed
from engines.splat_values import SCALE_MIN_M, unit_quaternions
from engines.transforms import NEUTRAL, NEUTRAL_AXES, Frame, move_splats

SCHEMA = "ParticleField3DGaussianSplat"
_Z_UP = Axes(x="right", y="forward", z="up")
_PATIENCE_SECS = 300.0
_THREE_SIGMA = 3.0


def define_splats(stage: Any, path: str, splats: Splats) -> None:
    """Add the cloud to an open stage as the prim `path`. Raises `UnsuitableAsset`."""
    from pxr import Sdf, Vt

    check_splats(splats)
    if len(splats.positions) == 0:
        raise UnsuitableAsset(f"cloud {splats.name!r} has no splats")
    prim = stage.DefinePrim(path, SCHEMA)
    types = Sdf.ValueTypeNames
    reach = splats.scales.max(axis=1, keepdims=True) * np.float32(_THREE_SIGMA)
    extent = np.stack([(splats.positions - reach).min(axis=0), (splats.positions + reach).max(axis=0)])
    xyzw = unit_quaternions(splats.rotations)[:, [1, 2, 3, 0]]
    sh = splats.sh.reshape(-1, 3)
    for name, kind, value in (
        ("extent", types.Float3Array, Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(extent, np.float32))),
        ("positions", types.Point3fArray, Vt.Vec3fArray.FromNumpy(_plain(splats.positions))),
        ("orientations", types.QuatfArray, Vt.QuatfArray.FromNumpy(_plain(xyzw))),
        ("scales", types.Float3Array, Vt.Vec3fArray.FromNumpy(_plain(splats.scales))),
        ("opacities", types.FloatArray, Vt.FloatArray.FromNumpy(_plain(np.clip(splats.opacities, 0, 1)))),
        ("radiance:sphericalHarmonicsCoefficients", types.Float3Array, Vt.Vec3fArray.FromNumpy(_plain(sh))),
    ):
        prim.CreateAttribute(name, kind, custom=False).Set(value)
    degree = prim.CreateAttribute("radiance:sphericalHarmonicsDegree", types.Int, False, Sdf.VariabilityUniform)
    degree.Set(degree_of(splats.sh.shape[1]))


def _plain(array: FloatArray) -> FloatArray:
    return np.ascontiguousarray(array, np.float32)


def read_splats(path: Path, limits: Limits) -> Splats:
    """All clouds of a USD file as one, each under its own transform. Raises `DamagedFile` or `TooLarge`."""
    size = path.stat().st_size
    if size > limits.max_file_bytes:
        raise TooLarge(f"{path.name} has {size} bytes, more than the limit of {limits.max_file_bytes}")
    with tempfile.TemporaryDirectory(prefix="scenecast-usd-") as folder:
        told = _read_elsewhere(path, Path(folder), limits)
        _check_memory(Path(folder), told["clouds"], limits, path.name)
        parts = [_cloud(Path(folder), entry, path.name) for entry in told["clouds"]]
    cloud = joined_splats(parts, path.stem)
    if len(cloud.positions) > limits.max_elements:
        raise TooLarge(f"{path.name} holds {len(cloud.positions)} splats, the limit is {limits.max_elements}")
    axes = _Z_UP if told["up"] == "Z" else NEUTRAL_AXES
    unit_m = float(told["unit_m"])
    if not 1e-9 < unit_m < 1e9:
        raise DamagedFile(f"{path.name} states a unit of {unit_m} metres")
    return move_splats(cloud, NEUTRAL, Frame(axes, unit_m))


def _check_memory(folder: Path, clouds: list[dict[str, Any]], limits: Limits, name: str) -> None:
    wanted = 0
    for entry in clouds:
        shapes = {key: np.load(folder / file, mmap_mode="r").shape for key, file in entry["arrays"].items()}
        rest = sum(math.prod(shape) for shape in shapes.values())
        # What a cloud lacks is filled in for every splat.
        wanted += max(shapes["positions"][0] * splat_bytes(1), rest * COMPONENT_BYTES)
    check_memory(wanted, limits.max_memory_bytes, f"the cloud in {name}", "decimate the cloud")


def _read_elsewhere(path: Path, folder: Path, limits: Limits) -> dict[str, Any]:
    """What `engines.usd_reader` says of the file; its arrays lie in `folder`."""
    root = str(Path(__file__).resolve().parents[1])
    program = f"import sys; sys.path.insert(0, {root!r}); from engines.usd_reader import main; main()"
    order = [sys.executable, "-c", program, str(path.resolve()), str(folder), str(limits.max_elements)]
    try:
        done = subprocess.run(order, capture_output=True, text=True, timeout=_PATIENCE_SECS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DamagedFile(f"{path.name} was not read within {_PATIENCE_SECS:.0f} s") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise DamagedFile(f"reading {path.name} as USD ended with status {done.returncode}: {last[:300]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if told.get("refused"):
        raise (TooLarge if told["too_large"] else DamagedFile)(f"{path.name}: {told['refused']}")
    return told


def _cloud(folder: Path, entry: dict[str, Any], name: str) -> Splats:
    """One prim's arrays, made whole as the schema says: what is too long is cut, what is too short is left out."""
    arrays = {key: np.load(folder / file).astype(np.float32) for key, file in entry["arrays"].items()}
    positions = arrays["positions"].reshape(-1, 3)
    count, degree = len(positions), entry["degree"]
    if degree not in (0, 1, 2, 3):
        raise DamagedFile(f"{name} has harmonics of degree {degree!r}; up to 3 are read")

    def held(key: str, each: int, otherwise: tuple[float, ...]) -> FloatArray:
        values = arrays.get(key, np.zeros(0, np.float32)).reshape(-1)
        enough = len(values) >= count * each
        return values[: count * each] if enough else np.tile(np.array(otherwise, np.float32), count)

    width = COEFFICIENTS[degree]
    if len(arrays.get("harmonics", ())) < count * width:
        arrays.pop("harmonics", None)
        width = 1  # without enough coefficients a splat is grey, says the schema
    harmonics = held("harmonics", 3 * width, (0.0, 0.0, 0.0)).reshape(count, width, 3)
    cloud = Splats(
        positions=positions,
        rotations=unit_quaternions(held("orientations", 4, (0, 0, 0, 1)).reshape(-1, 4)[:, [3, 0, 1, 2]]),
        scales=np.maximum(held("scales", 3, (1, 1, 1)).reshape(-1, 3), np.float32(SCALE_MIN_M)),
        opacities=np.clip(held("opacities", 1, (1,)), 0, 1),
        sh=harmonics,
    )
    for key in ("positions", "scales", "opacities", "sh"):
        if not np.isfinite(getattr(cloud, key)).all():
            raise DamagedFile(f"{name} has {key} that are not finite", remedy="filter such splats out and try again")
    return placed(cloud, np.array(entry["world"], np.float64).reshape(4, 4))
