"""Splats in a GLB by KHR_gaussian_splatting: points whose attributes are linear values, in glTF's own axes and metres.

Written with the kernel "ellipse" and colours as displayed (`srgb_rec709_display`), every value as float32, and a
COLOR_0 in linear light for viewers that know only points. Read: every primitive with the extension, under its node's
transform, also with the quantised rotations, scales and opacities the specification allows.

Source: the ratified text of KHR_gaussian_splatting.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.colour import as_u16, linear_from_srgb
from engines.errors import DamagedFile, EnginesError, TooLarge, UnsuitableAsset
from engines.formats.registry import Limits
from engines.geometry import check_splats, joined_splats
from engines.glb_container import Container, header
from engines.glb_reader import shown_primitives
from engines.spherical_harmonics import degree_of
from engines.splat_placing import placed
from engines.splat_values import SCALE_MIN_M, colour_from_dc, unit_quaternions

EXTENSION = "KHR_gaussian_splatting"
_CODES = {"float32": 5126, "uint16": 5123}
_VERTICES = 34962
_DISPLAY = "srgb_rec709_display"


def write_splats(splats: Splats, path: Path, provenance: str) -> int:
    """Write the GLB and return its length in bytes. Raises `UnsuitableAsset`."""
    check_splats(splats)
    if len(splats.positions) == 0:
        raise UnsuitableAsset(f"cloud {splats.name!r} has no splats, and glTF has no way to say so")
    attributes = _attributes(splats)
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    offset = 0
    for array in attributes.values():
        kind = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}[array.shape[1]]
        view = {"buffer": 0, "byteOffset": offset, "byteLength": array.nbytes, "target": _VERTICES}
        accessor: dict[str, Any] = {"bufferView": len(views), "componentType": _CODES[array.dtype.name]}
        accessor |= {"count": len(array), "type": kind}
        if array.dtype == np.uint16:
            accessor["normalized"] = True
        views.append(view)
        accessors.append(accessor)
        offset += array.nbytes
    accessors[0] |= {
        "min": [float(value) for value in splats.positions.min(axis=0)],
        "max": [float(value) for value in splats.positions.max(axis=0)],
    }
    kernel = {
        "kernel": "ellipse",
        "colorSpace": _DISPLAY,
        "projection": "perspective",
        "sortingMethod": "cameraDistance",
    }
    named = {"name": splats.name} if splats.name else {}
    primitive = {
        "attributes": {name: index for index, name in enumerate(attributes)},
        "mode": 0,
        "extensions": {EXTENSION: kernel},
    }
    note = {"extras": {"scenecast": json.loads(provenance)}} if provenance else {}
    document = {
        "asset": {"version": "2.0", "generator": "Scenecast", **note},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{**named, "mesh": 0, **note}],
        "meshes": [{**named, "primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": offset}],
    }
    with path.open("wb") as file:
        file.write(header(document, offset))
        for array in attributes.values():
            array.tofile(file)
        return file.tell()


def _attributes(splats: Splats) -> dict[str, NDArray[Any]]:
    """Every attribute by its name; each one's length is a whole number of four bytes."""
    # For viewers that know only points, which take this attribute to be linear light, whatever the splats are in.
    light = linear_from_srgb(np.clip(colour_from_dc(splats.sh[:, 0]), 0, 1))
    values: dict[str, NDArray[Any]] = {
        "POSITION": splats.positions,
        "COLOR_0": as_u16(np.concatenate([light, splats.opacities[:, None]], axis=1)),
        f"{EXTENSION}:ROTATION": unit_quaternions(splats.rotations)[:, [1, 2, 3, 0]],
        f"{EXTENSION}:SCALE": splats.scales,
        f"{EXTENSION}:OPACITY": np.clip(splats.opacities, 0, 1)[:, None],
    }
    for degree in range(degree_of(splats.sh.shape[1]) + 1):
        for at in range(2 * degree + 1):
            values[f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{at}"] = splats.sh[:, degree * degree + at]
    return {
        name: np.ascontiguousarray(each, "<u2" if each.dtype == np.uint16 else "<f4") for name, each in values.items()
    }


def has_splats(container: Container) -> bool:
    """Whether any primitive of the file is a cloud; where its JSON makes no sense, it is not for this to say."""
    try:
        primitives = [each for mesh in container.items("meshes") for each in mesh["primitives"]]
        return any(EXTENSION in primitive.get("extensions", {}) for primitive in primitives)
    except (KeyError, TypeError, AttributeError):
        return False


def read_splats(container: Container, path: Path, limits: Limits) -> Splats:
    """All clouds of the file's scene as one; its meshes are left. Raises `DamagedFile` or `TooLarge`."""
    parts: list[Splats] = []
    try:
        with np.errstate(all="ignore"):
            for primitive, world in shown_primitives(container):
                if EXTENSION in primitive.get("extensions", {}):
                    parts.append(placed(_cloud(container, primitive), world))
                    _hold(parts, limits)
    except EnginesError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError, struct.error) as error:
        raise DamagedFile(f"{path.name} is not the glTF it claims to be: {error!r}") from error
    if not parts:
        raise DamagedFile(f"no scene of {path.name} shows the splats it holds")
    names = [mesh["name"] for mesh in container.items("meshes") if isinstance(mesh.get("name"), str)]
    return joined_splats(parts, names[0] if len(names) == 1 else path.stem)


def _hold(parts: list[Splats], limits: Limits) -> None:
    total = sum(len(part.positions) for part in parts)
    if total > limits.max_elements:
        raise TooLarge(f"the scene has {total} splats, more than the limit of {limits.max_elements}")


def _cloud(container: Container, primitive: dict[str, Any]) -> Splats:
    entry, named = primitive["extensions"][EXTENSION], primitive["attributes"]
    if entry.get("kernel") != "ellipse" or entry.get("colorSpace", _DISPLAY) != _DISPLAY:
        kernel, space = entry.get("kernel"), entry.get("colorSpace")
        raise DamagedFile(
            f"splats with the kernel {kernel!r} in {space!r} are not read", remedy=f"export as ellipse in {_DISPLAY}"
        )
    missing = [each for each in ("ROTATION", "SCALE", "OPACITY") if f"{EXTENSION}:{each}" not in named]
    if missing:
        packed = ", ".join(entry.get("extensions", ())) or "no extension that says why"
        raise DamagedFile(f"the splats lack {', '.join(missing)} ({packed})", remedy="export without compression")
    positions = container.accessor(named["POSITION"], 3).astype(np.float32)
    count = len(positions)
    coefficients = [_values(container, named, "SH_DEGREE_0_COEF_0", 3, count)]
    for degree in (1, 2, 3):
        names = [f"SH_DEGREE_{degree}_COEF_{at}" for at in range(2 * degree + 1)]
        if f"{EXTENSION}:{names[0]}" not in named:
            break
        coefficients += [_values(container, named, name, 3, count) for name in names]
    scales = _values(container, named, "SCALE", 3, count)
    opacities = _values(container, named, "OPACITY", 1, count)[:, 0]
    if not np.isfinite(positions).all() or (scales < 0).any() or (opacities < 0).any() or (opacities > 1).any():
        raise DamagedFile("a position is not finite, a scale negative or an opacity beyond 0..1")
    return Splats(
        positions=positions,
        rotations=unit_quaternions(_values(container, named, "ROTATION", 4, count)[:, [3, 0, 1, 2]]),
        scales=np.maximum(scales, np.float32(SCALE_MIN_M)),
        opacities=np.ascontiguousarray(opacities),
        sh=np.stack(coefficients, axis=1),
    )


def _values(container: Container, named: dict[str, Any], name: str, width: int, count: int) -> FloatArray:
    values = container.accessor(named[f"{EXTENSION}:{name}"], width).astype(np.float32)
    if len(values) != count or not np.isfinite(values).all():
        raise DamagedFile(f"{name} has {len(values)} values for {count} splats, or some that are not finite")
    return values
