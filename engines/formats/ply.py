"""PLY: splats in the dialect of the 3D Gaussian Splatting code, meshes and points in the common one.

The format has no convention for axes, units or winding, so what is written is in the host's own, and a comment
(`scenecast frame …`) says which. A splat file without that comment is taken as right, down, forward: the axes
of the COLMAP worlds that trained clouds live in. Any other file without it is taken as neutral.

Splats (Kerbl et al. 2023, the authors' code): float32 `x y z nx ny nz f_dc_0..2 f_rest_* opacity scale_0..2
rot_0..3`, little-endian; `f_rest` runs channel by channel, opacity is a logit, scales are natural logarithms,
rotations are wxyz. What is written comes back to float32 rounding, except opacities within 1e-6 of 0 and 1.

Meshes: `x y z`, `nx ny nz`, `s t`, `red green blue alpha` as 8-bit sRGB, `vertex_indices`. Colours come back to
8-bit rounding, all else exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Mesh, Splats
from engines.colour import as_float, linear_from_srgb, srgb_from_linear
from engines.conventions import Axes, Host
from engines.errors import DamagedFile, TooLarge
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_mesh, check_splats
from engines.kinds import Kind
from engines.memory import TEXT_BYTES, check_memory, splat_bytes
from engines.ply_chunks import is_compressed, unpacked
from engines.ply_container import HEADER_BYTES, Header, Table, read_header, read_tables
from engines.ply_frame import frame_comment, frame_in
from engines.spherical_harmonics import COEFFICIENTS
from engines.splat_values import (
    dc_from_colour,
    log_from_scale,
    logit_from_opacity,
    opacity_from_logit,
    scale_from_log,
    unit_quaternions,
)
from engines.transforms import NEUTRAL, OPENCV_AXES, Frame, frame_of, move_mesh, move_splats

MEDIA_TYPE = "model/ply"
_SPLAT_COLUMNS = ("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3")
_REST = {0: 0, 9: 3, 24: 8, 45: 15}
_BYTES_PER_BYTE = 3.5
"""Memory that reading a byte of plain rows takes: 3.3 to 3.6 of clouds, 3.5 of meshes."""


def encode(asset: Splats | Mesh, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.ply` in the host's axes, unit, winding and UV origin. Raises `UnsuitableAsset`."""
    frame = frame_of(host)
    notes = [frame_comment(frame)]
    if provenance:
        notes.append(f"scenecast provenance {json.dumps(json.loads(provenance), sort_keys=True)}")
    path = folder / f"{stem}.ply"
    with path.open("wb") as file:
        if isinstance(asset, Splats):
            check_splats(asset)
            names, rows = _splat_rows(move_splats(asset, frame))
            file.write(_head(notes, [("vertex", len(rows), [f"property float {name}" for name in names])]))
            rows.tofile(file)
        else:
            check_mesh(asset)
            vertices, vertex_lines, faces = _mesh_rows(move_mesh(asset, frame))
            face_lines = ["property list uchar int vertex_indices"]
            file.write(_head(notes, [("vertex", len(vertices), vertex_lines), ("face", len(faces), face_lines)]))
            vertices.tofile(file)
            faces.tofile(file)
    role = "splats" if isinstance(asset, Splats) else "mesh"
    return [ExportedFile(path.name, role, MEDIA_TYPE, None, path.stat().st_size)]


def decode(path: Path, limits: Limits, *, axes: Axes | None = None) -> Splats | Mesh:
    """Splats if the file has their columns, plain or chunked, else a mesh, whose faces are empty for mere points.

    `axes` overrides what the file is taken to be in. Polygons become fans of triangles. Raises `DamagedFile`
    or `TooLarge`.
    """
    size = path.stat().st_size
    if size > limits.max_file_bytes:
        raise TooLarge(f"{path.name} has {size} bytes, more than the limit of {limits.max_file_bytes}")
    with path.open("rb") as file:
        header = read_header(file.read(HEADER_BYTES), limits.max_elements)
    check_ply_memory(header, size, limits, path.name)
    data = path.read_bytes()
    tables = read_tables(data, header)
    if is_compressed(header):
        return unpacked(tables, header, path.stem, axes=axes)
    vertices = tables.get("vertex")
    if vertices is None or not {"x", "y", "z"} <= set(vertices.columns):
        raise DamagedFile(f"{path.name} has no element 'vertex' with x, y and z")
    is_splats = "opacity" in vertices.columns and "rot_0" in vertices.columns
    frame = frame_in(header.comments, Frame(OPENCV_AXES) if is_splats else NEUTRAL)
    if axes is not None:
        frame = Frame(axes, frame.unit_m, frame.front_ccw, frame.uv_bottom_left)
    if is_splats:
        return move_splats(_splats(vertices, path.stem), NEUTRAL, frame)
    return move_mesh(_mesh(vertices, tables.get("face"), limits, path.stem), NEUTRAL, frame)


def check_ply_memory(header: Header, size: int, limits: Limits, name: str) -> None:
    """Raise `TooLarge` when reading a PLY of so many bytes would take too much memory."""
    wanted = float(size * (TEXT_BYTES if header.order == "" else _BYTES_PER_BYTE))
    if is_compressed(header):
        splats, _ = header.elements["vertex"]
        wanted = max(wanted, splats * splat_bytes(COEFFICIENTS[-1] if "sh" in header.elements else 1))
    check_memory(wanted, limits.max_memory_bytes, name, "decimate it")


def _head(notes: list[str], elements: list[tuple[str, int, list[str]]]) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {note}" for note in notes)]
    for name, count, properties in elements:
        lines += [f"element {name} {count}", *properties]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")


def _splat_rows(splats: Splats) -> tuple[list[str], NDArray[np.float32]]:
    count, coefficients = splats.sh.shape[:2]
    rest = 3 * (coefficients - 1)
    names = ["x", "y", "z", "nx", "ny", "nz", *(f"f_dc_{i}" for i in range(3)), *(f"f_rest_{i}" for i in range(rest))]
    names += _SPLAT_COLUMNS
    rows = np.zeros((count, len(names)), "<f4")
    rows[:, :3] = splats.positions
    rows[:, 6:9] = splats.sh[:, 0]
    rows[:, 9 : 9 + rest].reshape(count, 3, coefficients - 1)[:] = splats.sh[:, 1:].transpose(0, 2, 1)
    rows[:, 9 + rest] = logit_from_opacity(splats.opacities)
    rows[:, 10 + rest : 13 + rest] = log_from_scale(splats.scales)
    rows[:, 13 + rest :] = splats.rotations
    return names, rows


def _mesh_rows(mesh: Mesh) -> tuple[NDArray[Any], list[str], NDArray[Any]]:
    parts: list[tuple[str, NDArray[Any]]] = [("xyz", mesh.positions)]
    if mesh.normals is not None:
        parts.append(("nx ny nz", mesh.normals))
    if mesh.uvs is not None:
        parts.append(("s t", mesh.uvs))
    if mesh.colours is not None:
        encoded = np.concatenate([srgb_from_linear(mesh.colours[:, :3]), mesh.colours[:, 3:]], axis=1)
        parts.append(("red green blue alpha", np.round(np.clip(encoded, 0, 1) * 255).astype(np.uint8)))
    fields, lines, columns = [], [], []
    for words, array in parts:
        names = list(words) if words == "xyz" else words.split()
        for name, column in zip(names, array.T, strict=False):
            fields.append((name, "u1" if array.dtype == np.uint8 else "<f4"))
            lines.append(f"property {'uchar' if array.dtype == np.uint8 else 'float'} {name}")
            columns.append(column)
    vertices = np.empty(len(mesh.positions), fields)
    for (name, _), column in zip(fields, columns, strict=True):
        vertices[name] = column
    faces = np.empty(len(mesh.faces), [("count", "u1"), ("corners", "<i4", (3,))])
    faces["count"], faces["corners"] = 3, mesh.faces
    return vertices, lines, faces


def _columns(table: Table, names: tuple[str, ...] | list[str]) -> FloatArray:
    """float32 [N, len(names)], all finite."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise DamagedFile(f"the file lacks the columns {', '.join(missing[:6])}")
    order = list(table.columns)
    first = order.index(names[0])
    result = np.empty((table.rows, len(names)), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        if table.matrix is not None and order[first : first + len(names)] == list(names):
            result[:] = table.matrix[:, first : first + len(names)]
        else:
            for at, name in enumerate(names):
                result[:, at] = table.columns[name]
    if not np.isfinite(result).all():
        row, column = np.argwhere(~np.isfinite(result))[0]
        raise DamagedFile(
            f"row {row} holds {names[column]} = {result[row, column]}", remedy="filter such rows out and try again"
        )
    return result


def _splats(table: Table, name: str) -> Splats:
    if "f_dc_0" in table.columns:
        dc = _columns(table, ["f_dc_0", "f_dc_1", "f_dc_2"])
    elif "red" in table.columns:
        dc = dc_from_colour(_display_colours(table.columns, ["red", "green", "blue"]))
    else:
        raise DamagedFile("the file lacks the columns f_dc_0, f_dc_1, f_dc_2")
    rest = sum(1 for column in table.columns if column.startswith("f_rest_"))
    if rest not in _REST:
        raise DamagedFile(f"{rest} columns f_rest_*, expected 0, 9, 24 or 45")
    sh = np.empty((table.rows, 1 + _REST[rest], 3), np.float32)
    sh[:, 0] = dc
    if rest:
        channels = _columns(table, [f"f_rest_{i}" for i in range(rest)])
        sh[:, 1:] = channels.reshape(table.rows, 3, _REST[rest]).transpose(0, 2, 1)
    # Infinite logits and logarithms are honest ways to say "opaque" and "flat"; NaN is not.
    for column in _SPLAT_COLUMNS[:4]:
        if column in table.columns and np.isnan(table.columns[column]).any():
            raise DamagedFile(f"the column {column} holds values that are no numbers")
    scales = _clipped(table, ["scale_0", "scale_1", "scale_2"])
    return Splats(
        positions=_columns(table, ["x", "y", "z"]),
        rotations=unit_quaternions(_columns(table, list(_SPLAT_COLUMNS[4:]))),
        scales=scale_from_log(scales),
        opacities=opacity_from_logit(_clipped(table, ["opacity"])[:, 0]),
        sh=sh,
        name=name,
    )


def _clipped(table: Table, names: list[str]) -> FloatArray:
    held = {name: np.clip(table.columns[name], -1e3, 1e3) for name in names if name in table.columns}
    return _columns(Table(table.rows, columns=held), names)


def _display_colours(columns: Mapping[str, NDArray[Any]], names: list[str]) -> FloatArray:
    channels = np.stack([columns[name] for name in names if name in columns], axis=1)
    channels = channels.astype(channels.dtype.newbyteorder("="))
    if channels.shape[1] != len(names):
        raise DamagedFile(f"the file has some of the columns {', '.join(names)}, but not all")
    with np.errstate(over="ignore", invalid="ignore"):
        colours = as_float(channels) if channels.dtype in (np.uint8, np.uint16) else channels.astype(np.float32)
    if not np.isfinite(colours).all():
        raise DamagedFile("a colour is not finite")
    return colours


def _mesh(vertices: Table, faces: Table | None, limits: Limits, name: str) -> Mesh:
    columns = vertices.columns
    uvs = next(
        (pair for pair in (("s", "t"), ("u", "v"), ("texture_u", "texture_v")) if set(pair) <= set(columns)), None
    )
    colours = None
    if "red" in columns:
        colours = _display_colours(columns, ["red", "green", "blue"])
        if columns["red"].dtype.kind == "u":
            colours = linear_from_srgb(colours)
        if "alpha" in columns:
            colours = np.concatenate([colours, _display_colours(columns, ["alpha"])], axis=1)
    return Mesh(
        positions=_columns(vertices, ["x", "y", "z"]),
        faces=_triangles(faces, vertices.rows, limits),
        normals=_columns(vertices, ["nx", "ny", "nz"]) if "nx" in columns else None,
        uvs=_columns(vertices, list(uvs)) if uvs else None,
        colours=colours,
        name=name,
    )


def _triangles(table: Table | None, vertices: int, limits: Limits) -> NDArray[np.uint32]:
    if table is None or table.rows == 0:
        return np.zeros((0, 3), np.uint32)
    lists = table.lists.get("vertex_indices") or table.lists.get("vertex_index")
    if lists is None:
        raise DamagedFile("the faces have no list vertex_indices")
    counts, corners = lists
    if corners.dtype.kind == "f" or (corners.size and not 0 <= int(corners.min()) <= int(corners.max()) < vertices):
        raise DamagedFile(f"a face points beyond the {vertices} vertices")
    if (counts == 3).all():
        return np.ascontiguousarray(corners.reshape(-1, 3), np.uint32)
    fans = np.maximum(counts - 2, 0)
    if int(fans.sum()) > limits.max_elements:
        raise TooLarge(f"the faces make {int(fans.sum())} triangles, more than the limit of {limits.max_elements}")
    first = np.repeat(np.cumsum(counts) - counts, fans)
    step = np.arange(int(fans.sum())) - np.repeat(np.cumsum(fans) - fans, fans)
    return np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1).astype(np.uint32)


FORMATS = (
    Format(
        name="ply",
        title="Polygon File Format",
        kinds=(Kind.SPLATS, Kind.MESH),
        extension=".ply",
        media_type=MEDIA_TYPE,
        encode="engines.formats.ply:encode",
        decode="engines.formats.ply:decode",
    ),
)
