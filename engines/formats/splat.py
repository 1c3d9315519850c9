""".splat: 32 bytes a splat and nothing else (antimatter15): position, scale, colour, opacity and rotation.

There is no header and no higher harmonic. The readers take the axes to be those of trained clouds, so the file is
right, down, forward and metres for every host. The most telling splats stand first, so that a viewer that draws while
it loads shows the whole thing early.

What is written comes back exactly in position and scale; colour and opacity within 1/510 (colour is held within 0..1),
a quaternion's component within 1/256 before it is made of unit length again.

Source: the converter of antimatter15/splat; bytes 24 … 31 are r, g, b, opacity and w, x, y, z as 128 + 128·q.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import Splats
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_splats
from engines.importance import order_of
from engines.kinds import Kind
from engines.memory import check_splats_memory
from engines.raster import check_file_size
from engines.splat_values import SCALE_MIN_M, colour_from_dc, dc_from_colour, unit_quaternions
from engines.transforms import NEUTRAL, OPENCV_AXES, Frame, move_splats

MEDIA_TYPE = "application/x-splat"
ROW = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 4), ("rotation", "u1", 4)])
_FRAME = Frame(OPENCV_AXES)


def encode(asset: Splats, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.splat`; higher harmonics and provenance have no place in it. Raises `UnsuitableAsset`."""
    check_splats(asset)
    order = order_of(asset)
    flat = Splats(asset.positions, asset.rotations, asset.scales, asset.opacities, asset.sh[:, :1], asset.name)
    moved = move_splats(flat, _FRAME)
    rows = np.empty(len(order), ROW)
    rows["position"], rows["scale"] = moved.positions[order], moved.scales[order]
    rows["colour"][:, :3] = _bytes(colour_from_dc(moved.sh[order, 0]) * 255)
    rows["colour"][:, 3] = _bytes(moved.opacities[order] * 255)
    rows["rotation"] = _bytes(unit_quaternions(moved.rotations[order]) * 128 + 128)
    path = folder / f"{stem}.splat"
    with path.open("wb") as file:
        rows.tofile(file)
    return [ExportedFile(path.name, "splats", MEDIA_TYPE, None, rows.nbytes)]


def decode(path: Path, limits: Limits) -> Splats:
    """The splats of a file that can be one. Raises `DamagedFile` or `TooLarge`."""
    size = check_file_size(path, limits)
    if size % ROW.itemsize:
        raise DamagedFile(f"{path.name} has {size} bytes, which is no whole number of 32-byte splats")
    if size // ROW.itemsize > limits.max_elements:
        raise TooLarge(f"{path.name} holds {size // ROW.itemsize} splats, the limit is {limits.max_elements}")
    check_splats_memory(size // ROW.itemsize, 1, limits.max_memory_bytes, path.name)
    rows = np.fromfile(path, ROW)
    fault = fault_in(rows)
    if fault:
        raise DamagedFile(f"{path.name} is no .splat file: {fault}")
    shares = rows["colour"].astype(np.float32) / np.float32(255)
    cloud = Splats(
        positions=np.ascontiguousarray(rows["position"], np.float32),
        rotations=unit_quaternions((rows["rotation"].astype(np.float32) - 128) / 128),
        scales=np.maximum(rows["scale"], np.float32(SCALE_MIN_M)).astype(np.float32),
        opacities=np.ascontiguousarray(shares[:, 3]),
        sh=dc_from_colour(shares[:, None, :3]),
        name=path.stem,
    )
    return move_splats(cloud, NEUTRAL, _FRAME)


def fault_in(rows: NDArray[np.void]) -> str:
    """Why these rows cannot be splats; empty when they can.

    The format has no signature, so this is what stands for one: places and sizes are finite, sizes are not negative
    and at most 1000 km, and the rotations of 99 in 100 have unit length to within what 8 bits allow.
    """
    with np.errstate(invalid="ignore"):
        for name in ("position", "scale"):
            bad = ~(np.abs(rows[name]) < 1e30).all(axis=1)
            if bad.any():
                return f"the {name} of splat {int(np.argmax(bad))} is not finite"
        wild = ~((rows["scale"] >= 0) & (rows["scale"] < 1e6)).all(axis=1)
    if wild.any():
        return f"the scale of splat {int(np.argmax(wild))} is {rows['scale'][np.argmax(wild)].tolist()}"
    length = np.linalg.norm(rows["rotation"].astype(np.float32) - 128, axis=1) / 128
    odd = np.abs(length - 1) > 0.03
    if np.count_nonzero(odd) > 0.01 * len(rows):
        at = int(np.argmax(odd))
        return f"the rotation of splat {at} has the length {length[at]:.2f}, not 1"
    return ""


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


FORMATS = (
    Format(
        name="splat",
        title=".splat",
        kinds=(Kind.SPLATS,),
        extension=".splat",
        media_type=MEDIA_TYPE,
        encode="engines.formats.splat:encode",
        decode="engines.formats.splat:decode",
    ),
)
