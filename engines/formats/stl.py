"""STL (3D Systems 1988): triangles for printers, in millimetres with Z up in every host, as slicers take them.

The format knows neither units nor axes nor which corners are one; written binary with normals of the faces, read
binary and ASCII, with equal places made one vertex. What is written comes back to float32 rounding of millimetres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Mesh
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_mesh, welded
from engines.kinds import Kind
from engines.memory import TEXT_BYTES, check_memory
from engines.raster import check_file_size
from engines.transforms import NEUTRAL, PRINT, move_mesh

MEDIA_TYPE = "model/stl"
HEADER_BYTES = 80
_BYTES_PER_BYTE = 9
"""Memory that reading and welding a byte of binary facets takes."""
_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def encode(asset: Mesh, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.stl`; uvs, colours and material have no place in it. Raises `UnsuitableAsset`."""
    check_mesh(asset)
    if len(asset.faces) == 0:
        raise UnsuitableAsset(f"mesh {asset.name!r} has no faces, and STL holds nothing else")
    mesh = move_mesh(Mesh(asset.positions, asset.faces), PRINT)
    facets = np.zeros(len(mesh.faces), _FACET)
    facets["corners"] = mesh.positions[mesh.faces]
    corners = facets["corners"].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    facets["normal"] = normals / np.where(length > 0, length, 1)
    path = folder / f"{stem}.stl"
    with path.open("wb") as file:
        # A binary file must not begin with "solid", by which readers tell the ASCII kind.
        file.write(b"Scenecast, millimetres, Z up".ljust(HEADER_BYTES) + np.uint32(len(facets)).tobytes())
        facets.tofile(file)
        return [ExportedFile(path.name, "mesh", MEDIA_TYPE, None, file.tell())]


def decode(path: Path, limits: Limits) -> Mesh:
    """The welded surface. Raises `DamagedFile` or `TooLarge`."""
    size = check_file_size(path, limits)
    with path.open("rb") as file:
        text = not is_binary(file.read(84), size)
    wanted = size * (TEXT_BYTES if text else _BYTES_PER_BYTE)
    check_memory(wanted, limits.max_memory_bytes, path.name, "decimate it")
    data = path.read_bytes()
    corners = _binary(data, limits, path.name) if is_binary(data[:84], size) else _ascii(data, limits, path.name)
    if not np.isfinite(corners).all():
        raise DamagedFile(f"{path.name} has a corner that is not finite")
    faces = np.arange(len(corners) * 3, dtype=np.uint32).reshape(-1, 3)
    return welded(move_mesh(Mesh(corners.reshape(-1, 3), faces, name=path.stem), NEUTRAL, PRINT))


def is_binary(head: bytes, size: int) -> bool:
    """Whether a file of that size is a binary STL: its length is that of its count of facets, to the byte."""
    if len(head) < HEADER_BYTES + 4:
        return False
    count = int.from_bytes(head[HEADER_BYTES : HEADER_BYTES + 4], "little")
    return count > 0 and size == HEADER_BYTES + 4 + count * _FACET.itemsize


def is_ascii(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an ASCII STL."""
    return head.lstrip().startswith(b"solid") and b"facet" in head[:4096]


def _binary(data: bytes, limits: Limits, name: str) -> FloatArray:
    count = (len(data) - HEADER_BYTES - 4) // _FACET.itemsize
    if count > limits.max_elements:
        raise TooLarge(f"{name} holds {count} facets, more than the limit of {limits.max_elements}")
    return np.frombuffer(data, _FACET, count, HEADER_BYTES + 4)["corners"].astype(np.float32)


def _ascii(data: bytes, limits: Limits, name: str) -> FloatArray:
    if not is_ascii(data[:4096]):
        raise DamagedFile(f"{name} is neither a binary STL of the length it states nor an ASCII one")
    words = data.split(b"vertex")[1:]
    if len(words) > 3 * limits.max_elements:
        raise TooLarge(f"{name} holds {len(words) // 3} facets, more than the limit of {limits.max_elements}")
    try:
        values: NDArray[np.float64] = np.array([[float(each) for each in word.split(None, 3)[:3]] for word in words])
    except ValueError as error:
        raise DamagedFile(f"a vertex of {name} is no three numbers: {error}") from error
    if len(words) == 0 or len(words) % 3 or values.shape[1:] != (3,) or data.count(b"endfacet") != len(words) // 3:
        raise DamagedFile(f"{name} has {len(words)} corners, which make no whole facets")
    with np.errstate(over="ignore"):
        return values.astype(np.float32).reshape(-1, 3, 3)


FORMATS = (
    Format(
        name="stl",
        title="STL",
        kinds=(Kind.MESH,),
        extension=".stl",
        media_type=MEDIA_TYPE,
        encode="engines.formats.stl:encode",
        decode="engines.formats.stl:decode",
    ),
)
