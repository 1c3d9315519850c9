"""The binary glTF container and its accessors (glTF 2.0 §3.6, §4.4): bytes to arrays, under limits.

Only the chunk inside the file is read. Buffers and images that name a URI are refused: following one would
read from the user's disk or the network on a stranger's word.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import DamagedFile, TooLarge
from engines.formats.registry import Limits
from engines.memory import COMPONENT_BYTES, check_memory

_MAGIC, _JSON, _BIN = b"glTF", 0x4E4F534A, 0x004E4942
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_READ = {
    "KHR_gaussian_splatting",
    "KHR_materials_ior",
    "KHR_mesh_quantization",
    "KHR_materials_emissive_strength",
    "KHR_texture_transform",
}


def packed(document: dict[str, Any], binary: bytes) -> bytes:
    """One GLB file of a JSON document and its only buffer; both chunks padded to 4 bytes."""
    binary += b"\0" * (-len(binary) % 4)
    return header(document, len(binary)) + binary


def header(document: dict[str, Any], binary_bytes: int) -> bytes:
    """All of a GLB that stands before its buffer, whose length is a whole number of four bytes."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    start = struct.pack("<4sII", _MAGIC, 2, 28 + len(text) + binary_bytes) + struct.pack("<II", len(text), _JSON)
    return start + text + struct.pack("<II", binary_bytes, _BIN)


def opened(path: Path, limits: Limits) -> Container:
    """The GLB at `path`. Raises `DamagedFile` or `TooLarge`."""
    size = path.stat().st_size
    if size > limits.max_file_bytes:
        raise TooLarge(f"{path.name} has {size} bytes, more than the limit of {limits.max_file_bytes}")
    try:
        return Container(path.read_bytes(), limits)
    except (KeyError, TypeError, ValueError, RecursionError, struct.error) as error:
        raise DamagedFile(f"{path.name} is not the glTF it claims to be: {error!r}") from error


class Container:
    """A parsed GLB: `document` is its JSON, arrays come from `accessor`, raw bytes from `view`."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.limits = limits
        self._binary = b""
        self._asked_bytes = 0
        if len(data) < 20 or data[:4] != _MAGIC:
            raise DamagedFile("no GLB file: it does not begin with 'glTF'", remedy="export as one .glb file")
        version, length = struct.unpack_from("<II", data, 4)
        if version != 2 or length > len(data):
            raise DamagedFile(f"a GLB of version {version} and {length} bytes, but {len(data)} bytes came")
        text = b""
        offset = 12
        while offset + 8 <= length:
            size, kind = struct.unpack_from("<II", data, offset)
            if size > length - offset - 8:
                raise DamagedFile(f"a chunk claims {size} bytes, more than the file holds")
            body = data[offset + 8 : offset + 8 + size]
            if kind == _JSON and not text:
                text = body
            elif kind == _BIN and not self._binary:
                self._binary = body
            offset += 8 + size
        document = json.loads(text)
        if not isinstance(document, dict):
            raise DamagedFile("the JSON chunk is no object")
        self.document: dict[str, Any] = document
        unknown = set(document.get("extensionsRequired", ())) - _READ
        if unknown:
            raise DamagedFile(
                f"the file needs {', '.join(sorted(unknown))}, which is not read", remedy="export it uncompressed"
            )

    def ask(self, wanted_bytes: int) -> None:
        """Count memory that reading this file takes; `TooLarge` before it is too much."""
        self._asked_bytes += wanted_bytes
        check_memory(self._asked_bytes, self.limits.max_memory_bytes, "what the scene shows", "decimate it")

    def items(self, name: str) -> list[dict[str, Any]]:
        """A top-level list of objects such as "nodes"; empty if there is none."""
        found = self.document.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise DamagedFile(f"{name} is no list of objects")
        return found

    def item(self, name: str, index: Any) -> dict[str, Any]:
        """One object of such a list. Raises `DamagedFile` for an index that is not in it."""
        found = self.items(name)
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(found):
            raise DamagedFile(f"{name}[{index!r}] does not exist")
        return found[index]

    def view(self, index: Any) -> bytes:
        """The bytes of a buffer view."""
        view = self.item("bufferViews", index)
        if view.get("buffer") != 0 or "uri" in self.item("buffers", 0):
            raise DamagedFile("a buffer outside the file is never read", remedy="export as one .glb file")
        start, size = _count(view.get("byteOffset", 0)), _count(view["byteLength"])
        if start + size > len(self._binary):
            raise DamagedFile(f"buffer view {index} ends beyond the file")
        return self._binary[start : start + size]

    def accessor(self, index: Any, width: int) -> NDArray[Any]:
        """[count, width] in the stored type, or float32 where the accessor says "normalized"."""
        accessor = self.item("accessors", index)
        count = _count(accessor["count"])
        if count > self.limits.max_elements:
            raise TooLarge(f"accessor {index} has {count} elements, more than the limit of {self.limits.max_elements}")
        if _WIDTHS.get(accessor["type"]) != width:
            raise DamagedFile(f"accessor {index} is a {accessor['type']}, expected {width} components")
        self.ask(count * width * COMPONENT_BYTES)
        dtype = np.dtype(_COMPONENTS[accessor["componentType"]])
        values = self._strided(accessor, count, dtype, width)
        if "sparse" in accessor:
            values = values.copy()
            self._overwrite(values, accessor["sparse"], dtype, width)
        if accessor.get("normalized", False) and dtype.kind != "f":
            scaled = values.astype(np.float32) / np.float32(np.iinfo(dtype).max)
            return np.asarray(np.maximum(scaled, np.float32(-1)))
        return values

    def _strided(self, accessor: dict[str, Any], count: int, dtype: np.dtype[Any], width: int) -> NDArray[Any]:
        if "bufferView" not in accessor:
            if "sparse" not in accessor:
                raise DamagedFile("an accessor has neither a buffer view nor sparse values")
            if count * width * dtype.itemsize > 2**20 + 1024 * len(self._binary):
                raise TooLarge(f"an accessor of {count} zeros that the file does not hold")
            return np.zeros((count, width), dtype)
        view = self.view(accessor["bufferView"])
        start, element = _count(accessor.get("byteOffset", 0)), dtype.itemsize * width
        stride = _count(self.item("bufferViews", accessor["bufferView"]).get("byteStride", element)) or element
        if stride < element or (count and start + stride * (count - 1) + element > len(view)):
            raise DamagedFile(f"an accessor of {count} elements ends beyond its buffer view")
        return np.ndarray((count, width), dtype, view, start, (stride, dtype.itemsize))

    def _overwrite(self, values: NDArray[Any], sparse: dict[str, Any], dtype: np.dtype[Any], width: int) -> None:
        count = _count(sparse["count"])
        where, what = sparse["indices"], sparse["values"]
        rows = self._strided(where, count, np.dtype(_COMPONENTS[where["componentType"]]), 1)[:, 0]
        if rows.dtype.kind != "u" or (count and int(rows.max()) >= len(values)):
            raise DamagedFile("a sparse accessor writes beyond its end")
        values[rows] = self._strided(what, count, dtype, width)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise DamagedFile(f"{value!r} is no size")
    return value
