"""GLB: a mesh with its PBR material, or a cloud of splats (KHR_gaussian_splatting), in one file (glTF 2.0).

The format is self-describing: +Y up, +Z to the front, metres, counter-clockwise, UV origin at the top left. Every
host's importer turns that into its own, so nothing here depends on the host. A material alone is shown on an
upright plane of 1 m (or one tile, if it does not repeat), so that any viewer can show it.

The writer is our own because it must carry what general exporters leave out or change: tangents, linear vertex
colours, one packed occlusion-roughness-metallic texture, the wrap mode, provenance, and the same bytes every time.
There is no Draco and no meshopt: several hosts cannot read them.

What comes back: positions, faces and colours exactly, normals and uvs to float32 rounding, maps to 8 bits. Height
has no place in glTF and is left out.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import Material, Mesh, Splats
from engines.conventions import Host
from engines.errors import UnsuitableAsset
from engines.formats import png
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_mesh, tangents
from engines.glb_container import opened, packed
from engines.glb_reader import read_mesh
from engines.glb_splats import has_splats, read_splats, write_splats
from engines.kinds import Kind, MapName
from engines.packing import Texture, see_through, textures
from engines.transforms import flip_v
from engines.web import WEB

MEDIA_TYPE = "model/gltf-binary"
_REPEAT, _CLAMP = 10497, 33071
_LINEAR, _LINEAR_MIPMAP_LINEAR = 9729, 9987
_VERTICES, _INDICES = 34962, 34963


def encode(
    asset: Mesh | Material | Splats,
    folder: Path,
    stem: str,
    *,
    host: Host,
    provenance: str = "",
    effort: png.Effort = "quick",
) -> list[ExportedFile]:
    """Write `stem.glb`. `effort` is how hard the textures are compressed. Raises `UnsuitableAsset`."""
    if isinstance(asset, Splats):
        size = write_splats(asset, folder / f"{stem}.glb", provenance)
        return [ExportedFile(f"{stem}.glb", "splats", MEDIA_TYPE, None, size)]
    mesh = display_plane(asset) if isinstance(asset, Material) else asset
    check_mesh(mesh)
    if len(mesh.positions) == 0:
        raise UnsuitableAsset(f"mesh {mesh.name!r} has no vertices, and glTF has no way to say so")
    writer = _Writer()
    note = {"scenecast": json.loads(provenance)} if provenance else None
    primitive: dict[str, Any] = {"attributes": writer.vertices(mesh), "mode": 4 if len(mesh.faces) else 0}
    if len(mesh.faces):
        small = len(mesh.positions) <= 65535
        indices = mesh.faces.astype("<u2" if small else "<u4").reshape(-1, 1)
        primitive["indices"] = writer.accessor(indices, "SCALAR", _INDICES)
    if mesh.material is not None:
        primitive["material"] = 0
        writer.material(mesh.material, folder, effort)
    writer.document["meshes"] = [_named(mesh.name, {"primitives": [primitive]})]
    node = _named(mesh.name, {"mesh": 0})
    if note:
        node["extras"] = note
        writer.document["asset"]["extras"] = note
    writer.document["nodes"] = [node]
    data = writer.finished()
    path = folder / f"{stem}.glb"
    path.write_bytes(data)
    return [ExportedFile(path.name, "mesh", MEDIA_TYPE, None, len(data))]


def display_plane(material: Material) -> Mesh:
    """An upright square that faces the viewer: 1 m with the texture at its true size, or one tile."""
    side, repeats = (1.0, 1.0 / material.tile_m) if material.tileable else (material.tile_m, 1.0)
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    positions = np.concatenate([(corners - 0.5) * side, np.zeros((4, 1))], axis=1)
    return Mesh(
        positions=positions.astype(np.float32),
        faces=np.array([[0, 1, 2], [0, 2, 3]], np.uint32),
        normals=np.tile(np.array([0, 0, 1], np.float32), (4, 1)),
        uvs=corners * np.float32(repeats),
        material=material,
        name=material.name,
    )


def decode(path: Path, limits: Limits) -> Mesh | Splats:
    """The splats of the file's scene if it has any, else all its triangles as one mesh.

    Raises `DamagedFile` or `TooLarge`. Node transforms are applied. The material comes along if the file uses one only;
    where it uses several, their base colour factors go into the vertex colours and their textures are left. Skins,
    morphs, lights, cameras and animations are left, and beside splats the meshes.
    """
    container = opened(path, limits)
    return read_splats(container, path, limits) if has_splats(container) else read_mesh(container, path)


class _Writer:
    """Collects buffer views, accessors, images and materials in the order in which they are asked for."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "Scenecast"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "accessors": [],
            "bufferViews": [],
        }
        self._parts: list[bytes] = []
        self._size = 0

    def vertices(self, mesh: Mesh) -> dict[str, int]:
        """The attributes of a mesh: accessor numbers by glTF's names."""
        attributes = {"POSITION": self.accessor(mesh.positions, "VEC3", _VERTICES, bounds=True)}
        if mesh.normals is not None:
            normals = _unit(mesh.normals)
            attributes["NORMAL"] = self.accessor(normals, "VEC3", _VERTICES)
            has_bumps = mesh.material is not None and MapName.NORMAL in mesh.material.maps
            along = tangents(replace(mesh, normals=normals)) if has_bumps and len(mesh.faces) else None
            if along is not None:
                attributes["TANGENT"] = self.accessor(along, "VEC4", _VERTICES)
        if mesh.uvs is not None:
            attributes["TEXCOORD_0"] = self.accessor(flip_v(mesh.uvs), "VEC2", _VERTICES)
        if mesh.colours is not None:
            held = np.clip(mesh.colours, 0, 1)
            attributes["COLOR_0"] = self.accessor(held, f"VEC{held.shape[1]}", _VERTICES)
        return attributes

    def accessor(self, array: NDArray[Any], kind: str, target: int, *, bounds: bool = False) -> int:
        """The number of a new accessor for [N, width] values."""
        stored = np.ascontiguousarray(array if array.dtype.kind == "u" else array.astype("<f4"))
        codes = {"uint16": 5123, "uint32": 5125, "float32": 5126}
        entry: dict[str, Any] = {
            "bufferView": self._view(stored.tobytes(), target),
            "componentType": codes[stored.dtype.name],
            "count": len(stored),
            "type": kind,
        }
        if bounds:
            entry["min"] = [float(value) for value in stored.min(axis=0)]
            entry["max"] = [float(value) for value in stored.max(axis=0)]
        self.document["accessors"].append(entry)
        return len(self.document["accessors"]) - 1

    def material(self, material: Material, folder: Path, effort: png.Effort) -> None:
        """Adds the material with its textures, as `engines.web` packs them."""
        parts = {part.role: part for part in textures(material, WEB) if part.role != MapName.HEIGHT}
        wrap = _REPEAT if material.tileable else _CLAMP
        sampler = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": wrap, "wrapT": wrap}
        at = {role: {"index": index} for index, role in enumerate(parts)}
        if parts:
            self.document["samplers"] = [sampler]
            self.document["images"] = [self._image(part, folder, effort) for part in parts.values()]
            self.document["textures"] = [{"sampler": 0, "source": index} for index in range(len(parts))]
        surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.5}
        if "orm" in at:
            surface = {"metallicRoughnessTexture": at["orm"]}
        if MapName.BASE_COLOR in at:
            surface["baseColorTexture"] = at[MapName.BASE_COLOR]
        entry: dict[str, Any] = _named(material.name, {"pbrMetallicRoughness": surface})
        if MapName.OCCLUSION in material.maps:
            entry["occlusionTexture"] = at["orm"]
        if MapName.NORMAL in at:
            entry["normalTexture"] = at[MapName.NORMAL]
        if MapName.EMISSION in at:
            entry |= {"emissiveTexture": at[MapName.EMISSION], "emissiveFactor": [1.0, 1.0, 1.0]}
        if MapName.BASE_COLOR in parts:
            entry |= _alpha(parts[MapName.BASE_COLOR])
        if material.ior != 1.5:
            entry["extensions"] = {"KHR_materials_ior": {"ior": material.ior}}
            self.document["extensionsUsed"] = ["KHR_materials_ior"]
        size = {"tile_m": material.tile_m, "height_m": material.height_m, "tileable": material.tileable}
        entry["extras"] = {"scenecast": size}
        self.document["materials"] = [entry]

    def finished(self) -> bytes:
        """The file; nothing may be added afterwards."""
        self.document["buffers"] = [{"byteLength": self._size}]
        return packed(self.document, b"".join(self._parts))

    def _image(self, part: Texture, folder: Path, effort: png.Effort) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".glb") as room:
            [file] = png.encode(part.image, Path(room), part.role, host=WEB, depth=8, effort=effort)
            data = (Path(room) / file.file).read_bytes()
        return {"name": part.role, "mimeType": "image/png", "bufferView": self._view(data, None)}

    def _view(self, data: bytes, target: int | None) -> int:
        entry: dict[str, Any] = {"buffer": 0, "byteOffset": self._size, "byteLength": len(data)}
        if target is not None:
            entry["target"] = target
        filled = data + b"\0" * (-len(data) % 4)
        self._parts.append(filled)
        self._size += len(filled)
        self.document["bufferViews"].append(entry)
        return len(self.document["bufferViews"]) - 1


def _alpha(part: Texture) -> dict[str, Any]:
    """Cut-outs sort and cast shadows properly; only true translucency is blended."""
    drawn = see_through(part.image.pixels)
    if drawn == "opaque":
        return {}
    mode = {"alphaMode": "MASK", "alphaCutoff": 0.5} if drawn == "cut_out" else {"alphaMode": "BLEND"}
    return {**mode, "doubleSided": True}


def _unit(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(normals.astype(np.float64), axis=1, keepdims=True)
    usable = np.where(length > 0, normals / np.where(length > 0, length, 1), [0.0, 0.0, 1.0])
    return usable.astype(np.float32)


def _named(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, **entry} if name else entry


FORMATS = (
    Format(
        name="glb",
        title="Binary glTF",
        kinds=(Kind.MESH, Kind.MATERIAL, Kind.SPLATS),
        extension=".glb",
        media_type=MEDIA_TYPE,
        encode="engines.formats.glb:encode",
        decode="engines.formats.glb:decode",
        needs=("PIL",),
    ),
)
