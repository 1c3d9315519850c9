"""Reading the polygons of a Wavefront OBJ: one vertex for each combination of place, uv and normal that is used."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Mesh
from engines.colour import linear_from_srgb
from engines.errors import DamagedFile, TooLarge
from engines.formats.registry import Limits
from engines.memory import TEXT_BYTES, check_memory
from engines.ply_frame import frame_in
from engines.raster import check_file_size
from engines.transforms import NEUTRAL, move_mesh


def looks_like_one(head: bytes) -> bool:
    """Whether the first bytes are text in which statements of an OBJ stand; it has no signature."""
    if b"\0" in head:
        return False
    words = [line.split(None, 1)[0] for line in head.splitlines()[:-1] if line.strip() and not line.startswith(b"#")]
    known = {b"v", b"vn", b"vt", b"f", b"o", b"g", b"s", b"mtllib", b"usemtl", b"vp", b"l", b"p"}
    return b"v" in words and set(words) <= known


def read_mesh(path: Path, limits: Limits) -> Mesh:
    """See `engines.formats.obj.decode`."""
    size = check_file_size(path, limits)
    check_memory(size * TEXT_BYTES, limits.max_memory_bytes, path.name, "decimate it, or send it as GLB,")
    text = _Text(path.read_bytes().decode("utf-8", "replace"), limits, path.name)
    places = _table(text.rows["v"], (3, 4, 6), path.name)
    uvs, normals = _table(text.rows["vt"], (2, 1, 3), path.name), _table(text.rows["vn"], (3,), path.name)
    corners = np.array(text.corners, np.int64).reshape(-1, 3)
    for at, table in enumerate((places, uvs, normals)):
        if len(corners) and int(corners[:, at].max()) >= len(table):
            raise DamagedFile(f"a face of {path.name} points beyond its {len(table)} vertices")
    used = corners[:, 0] if len(corners) else np.arange(len(places))
    if len(corners):
        corners, faces = np.unique(corners, axis=0, return_inverse=True)
        used = corners[:, 0]
    else:
        faces, corners = np.zeros(0, np.int64), np.full((len(places), 3), -1)
    has_uvs, has_normals = (bool(len(corners)) and int(corners[:, at].min()) >= 0 for at in (1, 2))
    colours = linear_from_srgb(np.clip(places[used, 3:6], 0, 1)) if places.shape[1] == 6 else None
    mesh = Mesh(
        positions=np.ascontiguousarray(places[used, :3]),
        faces=faces.reshape(-1, 3).astype(np.uint32),
        normals=normals[corners[:, 2]] if has_normals else None,
        uvs=np.ascontiguousarray(uvs[corners[:, 1], :2]) if has_uvs and uvs.shape[1] >= 2 else None,
        colours=None if colours is None else colours.astype(np.float32),
        name=path.stem,
    )
    return move_mesh(mesh, NEUTRAL, frame_in(text.comments, NEUTRAL))


class _Text:
    """The statements of a file: rows of numbers by word, and corners of triangles laid end to end."""

    def __init__(self, text: str, limits: Limits, name: str) -> None:
        self.rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "vn": []}
        self.corners: list[int] = []
        self.comments: list[str] = []
        self._name = name
        most = limits.max_elements
        for line in text.replace("\\\n", " ").splitlines():
            words = line.split()
            if not words:
                continue
            if words[0] in self.rows:
                self.rows[words[0]].append(words[1:])
            elif words[0] == "f":
                self._face(words[1:])
            elif words[0] == "#":
                self.comments.append(line[1:].strip())
        if max(*(len(rows) for rows in self.rows.values()), len(self.corners) // 9) > most:
            raise TooLarge(f"{name} holds more than {most} vertices or faces")
        if not self.rows["v"]:
            raise DamagedFile(f"{name} has no vertices")

    def _face(self, words: list[str]) -> None:
        counts = (len(self.rows["v"]), len(self.rows["vt"]), len(self.rows["vn"]))
        if len(words) < 3:
            raise DamagedFile(f"a face of {self._name} has {len(words)} corners")
        polygon = [self._corner(word, counts) for word in words]
        for second, third in pairwise(polygon[1:]):
            self.corners += [*polygon[0], *second, *third]

    def _corner(self, word: str, counts: tuple[int, int, int]) -> tuple[int, int, int]:
        """Row numbers of place, uv and normal from 0; -1 where there is none. Negative ones count from the end."""
        numbers = []
        try:
            for part, count in zip(word.split("/"), counts, strict=False):
                value = int(part) if part else 0
                numbers.append(value - 1 if value >= 0 else count + value)
        except ValueError as error:
            raise DamagedFile(f"the corner {word[:40]!r} of {self._name} makes no sense") from error
        place, uv, normal = [*numbers, -1, -1][:3]
        if place < 0 or uv < -1 or normal < -1:
            raise DamagedFile(f"the corner {word[:40]!r} of {self._name} points before the first vertex")
        return place, uv, normal


def _table(rows: list[list[str]], widths: tuple[int, ...], name: str) -> FloatArray:
    """float32 [N, width]; a width that is not among `widths` is cut to the first of them."""
    if not rows:
        return np.zeros((0, widths[0]), np.float32)
    lengths = {len(row) for row in rows}
    width = lengths.pop() if len(lengths) == 1 else widths[0]
    width = width if width in widths else widths[0]
    try:
        with np.errstate(over="ignore"):
            table: NDArray[np.float32] = np.array([row[:width] for row in rows], np.float64).astype(np.float32)
    except ValueError as error:
        raise DamagedFile(f"a vertex of {name} is not {width} numbers") from error
    if table.shape != (len(rows), width) or not np.isfinite(table).all():
        raise DamagedFile(f"a vertex of {name} is not {width} finite numbers")
    return table
