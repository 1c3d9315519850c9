"""Reading the build of a 3MF package: its model under limits, objects with their components, places and unit."""

from __future__ import annotations

import zipfile
import zlib
from array import array
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from engines.assets import Mesh
from engines.errors import DamagedFile, EnginesError, TooLarge
from engines.formats.capture_zip import opened
from engines.formats.registry import Limits
from engines.geometry import welded
from engines.memory import check_memory
from engines.raster import check_file_size
from engines.transforms import NEUTRAL, PRINT, Frame, Matrix, move_mesh

_UNITS_M = {
    "micron": 1e-6, "millimeter": 1e-3, "centimeter": 1e-2, "inch": 0.0254, "foot": 0.3048, "meter": 1.0,
}  # fmt: skip
_MOST_PLACED = 10_000
_MOST_LISTED = 100_000
"""Objects, components and items together, each some hundred bytes in memory."""
_NUMBER_BYTES = 24
"""A coordinate or corner, counted where it is listed and where it is placed, up to the welded mesh."""
_BLOCK = 1 << 20


def read_mesh(path: Path, limits: Limits) -> Mesh:
    """See `engines.formats.three_mf.decode`."""
    check_file_size(path, limits)
    try:
        with opened(path) as archive:
            model = _Model(limits, path.name)
            model.read(archive)
        parts = [part for item, world in model.items for part in model.placed(item, world, 0)]
    except EnginesError:
        raise
    except (
        expat.ExpatError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, EOFError, RuntimeError,
        OSError, NotImplementedError, OverflowError,
    ) as error:  # fmt: skip
        raise DamagedFile(f"{path.name} is not the 3MF it claims to be: {error!r}") from error
    if not parts:
        raise DamagedFile(f"the build of {path.name} places nothing")
    first = np.cumsum([0, *(len(positions) for positions, _ in parts[:-1])])
    positions = np.concatenate([positions for positions, _ in parts]).astype(np.float32)
    faces = np.concatenate([faces + at for (_, faces), at in zip(parts, first, strict=True)])
    if not np.isfinite(positions).all():
        raise DamagedFile(f"{path.name} has a vertex that is not finite")
    mesh = Mesh(positions, faces.astype(np.uint32), name=path.stem)
    return welded(move_mesh(mesh, NEUTRAL, Frame(PRINT.axes, model.unit_m)))


class _Model:
    """The objects and the build of one model, gathered while its XML is parsed."""

    def __init__(self, limits: Limits, name: str) -> None:
        self._limits, self._name = limits, name
        self.unit_m = 1e-3
        self.items: list[tuple[str, Matrix]] = []
        # A list would take four times the memory, and it is a stranger's file that says how much there is.
        self._vertices: dict[str, array[float]] = {}
        self._triangles: dict[str, array[int]] = {}
        self._components: dict[str, list[tuple[str, Matrix]]] = {}
        self._main = self._part = self._object = ""
        self._named: set[str] = set()
        self._waiting: list[str] = []
        """Models that were named, and those of them that are still to be read."""
        self._numbers = self._placed = self._listed = 0
        self._most_numbers = min(6 * limits.max_elements, limits.max_memory_bytes // _NUMBER_BYTES)
        self._left_bytes = limits.max_file_bytes

    def read(self, archive: zipfile.ZipFile) -> None:
        """Parse the package's main model, and those that its objects may lie in (production extension 1.1)."""
        names = [name for name in archive.namelist() if name.lower().endswith(".model")]
        main = next((name for name in names if name.lower() == "3d/3dmodel.model"), names[0] if names else "")
        if not main:
            raise DamagedFile(f"{self._name} has no model in it")
        files = {_part_name(name): name for name in names}
        self._main = _part_name(main)
        self._named, self._waiting = {self._main}, [self._main]
        while self._waiting:
            self._part = self._waiting.pop()
            if self._part in files:
                with archive.open(files[self._part]) as stream:
                    self._parse(stream)

    def _parse(self, stream: IO[bytes]) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.StartDoctypeDeclHandler = self._refuse
        while block := stream.read(_BLOCK):
            self._left_bytes -= len(block)
            if self._left_bytes < 0:
                raise TooLarge(f"the models in {self._name} unpack to more than {self._limits.max_file_bytes} bytes")
            parser.Parse(block)
        parser.Parse(b"", True)

    def placed(self, identity: str, world: Matrix, depth: int) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """Vertices and triangles of an object and its components where they stand."""
        self._placed += 1
        if identity not in self._vertices or depth > 32 or self._placed > _MOST_PLACED:
            raise DamagedFile(f"object {identity!r} of {self._name} is missing, or stands in itself, or far too often")
        parts = []
        positions = np.frombuffer(self._vertices[identity], np.float64).reshape(-1, 3)
        faces = np.frombuffer(self._triangles[identity], np.int64).reshape(-1, 3)
        if len(faces):
            if not 0 <= int(faces.min()) <= int(faces.max()) < len(positions):
                raise DamagedFile(f"a triangle of {self._name} points beyond its {len(positions)} vertices")
            self._count(len(positions) * 3 + len(faces) * 3)
            turned = faces if np.linalg.det(world[:3, :3]) >= 0 else faces[:, [0, 2, 1]]
            parts.append((positions @ world[:3, :3] + world[3, :3], turned))
        for other, local in self._components[identity]:
            parts += self.placed(other, local @ world, depth + 1)
        return parts

    def _refuse(self, *_: Any) -> None:
        raise DamagedFile(f"{self._name} declares a document type, which no 3MF needs")

    def _count(self, more: int) -> None:
        self._numbers += more
        if self._numbers > self._most_numbers:
            wanted = self._numbers * _NUMBER_BYTES
            check_memory(wanted, self._limits.max_memory_bytes, f"the mesh in {self._name}", "decimate it")
            raise TooLarge(f"{self._name} holds more than {self._limits.max_elements} vertices or triangles")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "vertex":
            self._count(3)
            self._vertices[self._object].extend(float(attributes[axis]) for axis in "xyz")
        elif tag == "triangle":
            self._count(3)
            self._triangles[self._object].extend(int(attributes[corner]) for corner in ("v1", "v2", "v3"))
        elif tag == "object":
            self._object = self._key(attributes, "id")
            self._vertices[self._object], self._triangles[self._object] = array("d"), array("q")
            self._components[self._object] = []
        elif tag == "component":
            self._components[self._object].append((self._key(attributes, "objectid"), _matrix(attributes)))
        elif tag == "item" and self._part == self._main:
            self.items.append((self._key(attributes, "objectid"), _matrix(attributes)))
        elif tag == "model" and self._part == self._main:
            unit = attributes.get("unit", "millimeter")
            if unit not in _UNITS_M:
                raise DamagedFile(f"{self._name} is in {unit!r}, which is no unit of 3MF")
            self.unit_m = _UNITS_M[unit]

    def _key(self, attributes: dict[str, str], name: str) -> str:
        """An object's number with the model it lies in: this one, or the one that a `path` of any prefix names."""
        self._listed += 1
        if self._listed > _MOST_LISTED:
            raise TooLarge(f"{self._name} lists more than {_MOST_LISTED} objects, components and items")
        path = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "path"), None)
        part = self._part if path is None else _part_name(path)
        if part not in self._named:
            self._named.add(part)
            self._waiting.append(part)
        return f"{part}#{attributes[name]}"


def _part_name(path: str) -> str:
    return path.lstrip("/").lower()


def _matrix(attributes: dict[str, str]) -> Matrix:
    """4×4 for rows: place × matrix, as the format has it."""
    result = np.eye(4)
    if "transform" in attributes:
        numbers = [float(word) for word in attributes["transform"].split()]
        result[:, :3] = np.array(numbers).reshape(4, 3)
    return result
