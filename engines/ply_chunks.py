"""Splats in the chunks of a compressed PLY (PlayCanvas): 256 at a time, every value a step between its chunk's bounds.

`chunk` holds 18 (or, without colours, 12) float bounds, `vertex` four 32-bit words a splat: position and log-scale in
11, 10 and 11 bits, rotation as the index of the largest of w, x, y, z and the others in 10 bits each, colour and
opacity in 8 bits each. `sh` holds the higher harmonics in bytes, channel by channel, over -4 … 4.

Source: what PlayCanvas' splat-transform reads and writes, and their article "Compressing Gaussian Splats".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.conventions import Axes
from engines.errors import DamagedFile
from engines.ply_container import Header, Table
from engines.ply_frame import frame_in
from engines.splat_order import morton_order
from engines.splat_values import colour_from_dc, dc_from_colour, log_from_scale, scale_from_log, unit_quaternions
from engines.transforms import NEUTRAL, OPENCV_AXES, Frame, move_splats

CHUNK = 256
BOUNDS = tuple(
    f"{end}_{part}" for group in (("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b"))
    for end in ("min", "max") for part in group
)  # fmt: skip
"""Columns of the element `chunk`, in the order in which every writer has them."""
WORDS = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
SH_RANGE = 8.0
_COEFFICIENTS = {9: 3, 24: 8, 45: 15}
_BITS = (11, 10, 11)
_ROOT_HALF = np.float32(np.sqrt(0.5))
_LOG_SCALE_MOST = 20.0
"""Bounds of log-scales are held to this, as other writers do: one splat without extent must not coarsen a chunk."""


def is_compressed(header: Header) -> bool:
    """Whether a header has the packed columns."""
    _, columns = header.elements.get("vertex", (0, ()))
    return "packed_position" in {each.name for each in columns}


def packed(splats: Splats) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.uint8]]:
    """Bounds [C, 18], words [N, 4] and harmonics [N, 3·(K - 1)] of splats in the file's axes, in Morton order."""
    count = len(splats.positions)
    order = morton_order(splats.positions)
    chunks = -(-count // CHUNK)
    filled = np.concatenate([order, np.repeat(order[-1:], chunks * CHUNK - count)])
    logs = np.clip(log_from_scale(splats.scales), -_LOG_SCALE_MOST, _LOG_SCALE_MOST)
    bounds, steps = [], []
    for values in (splats.positions, logs, colour_from_dc(splats.sh[:, 0])):
        blocks = values[filled].reshape(chunks, CHUNK, 3)
        low, high = blocks.min(axis=1), blocks.max(axis=1)
        extent = np.where(high > low, high - low, np.float32(1))
        bounds += [low, high]
        steps.append(((blocks - low[:, None]) / extent[:, None]).reshape(-1, 3)[:count])
    places, sizes, colours = steps
    alpha = splats.opacities[order, None]
    words = [_packed_bits(places, _BITS), _packed_turns(splats.rotations[order]), _packed_bits(sizes, _BITS)]
    words.append(_packed_bits(np.concatenate([colours, alpha], axis=1), (8, 8, 8, 8)))
    return np.concatenate(bounds, axis=1), np.stack(words, axis=1), _packed_sh(splats.sh, order)


def _packed_bits(values: NDArray[Any], bits: tuple[int, ...]) -> NDArray[np.uint32]:
    word = np.zeros(len(values), np.uint32)
    for column, width in enumerate(bits):
        most = np.float32(2**width - 1)
        code = np.clip(values[:, column] * most + np.float32(0.5), 0, most).astype(np.uint32)
        word = (word << np.uint32(width)) | code
    return word


def _packed_turns(rotations: FloatArray) -> NDArray[np.uint32]:
    wxyz = unit_quaternions(rotations)
    largest = np.argmax(np.abs(wxyz), axis=1)
    signs = np.where(np.take_along_axis(wxyz, largest[:, None], axis=1) < 0, np.float32(-1), np.float32(1))
    codes = np.clip(wxyz * signs * (_ROOT_HALF * 1023) + np.float32(512), 0, 1023).astype(np.uint32)
    word: NDArray[np.uint32] = largest.astype(np.uint32)
    for at in range(4):
        word = np.where(largest == at, word, (word << np.uint32(10)) | codes[:, at])
    return word


def _packed_sh(sh: FloatArray, order: NDArray[np.int64]) -> NDArray[np.uint8]:
    rest = sh.shape[1] - 1
    result = np.empty((len(sh), 3, rest), np.uint8)
    for channel in range(3):
        steps = sh[:, 1:, channel] * np.float32(256 / SH_RANGE) + np.float32(128)
        result[:, channel] = np.clip(steps, 0, 255).astype(np.uint8)[order]
    return result.reshape(len(sh), 3 * rest)


def unpacked(tables: Mapping[str, Table], header: Header, name: str, *, axes: Axes | None = None) -> Splats:
    """The neutral cloud of a compressed PLY's tables. Raises `DamagedFile`."""
    vertices = tables["vertex"]
    words = [_word(vertices, each) for each in WORDS]
    low, high = _bounds(tables.get("chunk"), vertices.rows)
    places = _between(low[0], high[0], words[0])
    logs = _between(low[1], high[1], words[2])
    codes = np.stack([(words[3] >> np.uint32(shift)) & np.uint32(255) for shift in (24, 16, 8, 0)], axis=1)
    shares = codes.astype(np.float32) / np.float32(255)
    colours = shares[:, :3] if len(low) < 3 else _lerp(low[2], high[2], shares[:, :3])
    harmonics = _harmonics(tables.get("sh"), vertices.rows)
    sh = np.concatenate([dc_from_colour(colours)[:, None], harmonics], axis=1)
    cloud = Splats(places, _turns(words[1]), scale_from_log(logs), np.ascontiguousarray(shares[:, 3]), sh, name)
    frame = frame_in(header.comments, Frame(OPENCV_AXES))
    return move_splats(cloud, NEUTRAL, Frame(axes, frame.unit_m) if axes is not None else frame)


def _word(table: Table, name: str) -> NDArray[np.uint32]:
    column = table.columns.get(name)
    if column is None or column.dtype.kind != "u" or column.dtype.itemsize != 4:
        raise DamagedFile(f"this compressed PLY has no column {name} of type uint")
    return column.astype(np.uint32)


def _bounds(table: Table | None, rows: int) -> tuple[list[FloatArray], list[FloatArray]]:
    """Lower and upper bounds, each a list of position, log-scale and perhaps colour: float32 [C, 3]."""
    if table is None or table.rows != -(-rows // CHUNK):
        found = 0 if table is None else table.rows
        raise DamagedFile(f"{rows} splats need {-(-rows // CHUNK)} chunks of {CHUNK}, the file has {found}")
    names = BOUNDS if "min_r" in table.columns else BOUNDS[:12]
    missing = [each for each in names if each not in table.columns]
    if missing:
        raise DamagedFile(f"the chunks lack the columns {', '.join(missing[:6])}")
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.stack([table.columns[each].astype(np.float32) for each in names], axis=1)
    if not (np.abs(values) < 1e30).all():
        row, column = np.argwhere(~(np.abs(values) < 1e30))[0]
        raise DamagedFile(f"chunk {row} has {names[column]} = {values[row, column]}")
    groups = values.reshape(len(values), len(names) // 6, 2, 3)
    lows, highs = groups[:, :, 0], groups[:, :, 1]
    return [lows[:, at] for at in range(lows.shape[1])], [highs[:, at] for at in range(highs.shape[1])]


def _between(low: FloatArray, high: FloatArray, words: NDArray[np.uint32]) -> FloatArray:
    codes = np.empty((len(words), 3), np.float32)
    for column, (shift, width) in enumerate(((21, 11), (11, 10), (0, 11))):
        most = 2**width - 1
        codes[:, column] = ((words >> np.uint32(shift)) & np.uint32(most)) / np.float32(most)
    return _lerp(low, high, codes)


def _lerp(low: FloatArray, high: FloatArray, shares: FloatArray) -> FloatArray:
    at = np.arange(len(shares)) // CHUNK
    return low[at] * (1 - shares) + high[at] * shares


def _turns(words: NDArray[np.uint32]) -> FloatArray:
    largest = (words >> np.uint32(30)).astype(np.int64)
    small = np.stack([(words >> np.uint32(shift)) & np.uint32(1023) for shift in (20, 10, 0)], axis=1)
    values = (small / np.float32(1023) - np.float32(0.5)) / _ROOT_HALF
    rest = np.sqrt(np.maximum(0, 1 - (values * values).sum(axis=1)))
    wxyz = np.empty((len(words), 4), np.float32)
    for at in range(4):
        others = [each for each in range(4) if each != at]
        here = np.flatnonzero(largest == at)
        wxyz[here, at] = rest[here]
        wxyz[here[:, None], others] = values[here]
    return unit_quaternions(wxyz)


def _harmonics(table: Table | None, rows: int) -> FloatArray:
    """float32 [N, K - 1, 3]."""
    if table is None:
        return np.zeros((rows, 0, 3), np.float32)
    width = sum(1 for each in table.columns if each.startswith("f_rest_"))
    if table.rows != rows or width not in _COEFFICIENTS:
        raise DamagedFile(f"{table.rows} rows of {width} harmonics for {rows} splats, expected 9, 24 or 45 for each")
    # The outermost codes stand for the ends themselves, all others for the middle of their step.
    values = ((np.arange(256) + 0.5) / 256 - 0.5) * SH_RANGE
    values[[0, 255]] = -SH_RANGE / 2, SH_RANGE / 2
    result = np.empty((rows, _COEFFICIENTS[width], 3), np.float32)
    for column in range(width):
        codes = table.columns.get(f"f_rest_{column}")
        if codes is None or codes.dtype != np.uint8:
            raise DamagedFile(f"the harmonics have no column f_rest_{column} of type uchar")
        channel, at = divmod(column, _COEFFICIENTS[width])
        result[:, at, channel] = values.astype(np.float32)[codes]
    return result
