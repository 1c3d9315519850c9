"""Wavefront OBJ with its MTL and textures: text that everything reads, +Y up and in metres for every host.

The format says nothing of axes, but its importers take +Y to be up and turn it into their own (Blender, Unity).
Written with positions, uvs (origin at the bottom left, as the format has it), normals, and vertex colours as the
widespread extension `v x y z r g b` in sRGB; the material with the PBR extension of MTL (`map_Pr`, `map_Pm`, `norm`,
`map_Ke`). Our comment about the frame is honoured where a file has one. Read as one file: its geometry, no MTL.

What is written comes back to float32 rounding, colours to 8 bits.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from engines.assets import FloatArray, Material, Mesh
from engines.colour import srgb_from_linear
from engines.conventions import Host
from engines.formats import png
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_mesh
from engines.kinds import ColourSpace, Kind, MapName
from engines.obj_reader import read_mesh
from engines.ply_frame import frame_comment
from engines.transforms import NEUTRAL
from engines.web import WEB

MEDIA_TYPE = "model/obj"
MATERIAL_TYPE = "model/mtl"
_STATEMENTS = {
    MapName.BASE_COLOR: "map_Kd",
    MapName.NORMAL: "norm",
    MapName.HEIGHT: "disp",
    MapName.ROUGHNESS: "map_Pr",
    MapName.METALLIC: "map_Pm",
    MapName.EMISSION: "map_Ke",
    MapName.OPACITY: "map_d",
}
"""MTL's words for the maps it knows; occlusion has none."""
_BLOCK = 1 << 16


def encode(
    asset: Mesh, folder: Path, stem: str, *, host: Host, provenance: str = "", effort: png.Effort = "quick"
) -> list[ExportedFile]:
    """Write `stem.obj`, and with a material `stem.mtl` and a PNG for each map. Raises `UnsuitableAsset`."""
    check_mesh(asset)
    path = folder / f"{stem}.obj"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"# {frame_comment(NEUTRAL)}\n")
        if provenance:
            file.write(f"# scenecast provenance {json.dumps(json.loads(provenance), sort_keys=True)}\n")
        if asset.material is not None:
            file.write(f"mtllib {stem}.mtl\nusemtl material\n")
        lines = _lines(asset)
        for start in range(0, len(lines), _BLOCK):
            file.write("\n".join(lines[start : start + _BLOCK]) + "\n")
    files = [ExportedFile(path.name, "mesh", MEDIA_TYPE, None, path.stat().st_size)]
    return files + (_material(asset.material, folder, stem, provenance, effort) if asset.material is not None else [])


def _lines(mesh: Mesh) -> list[str]:
    table, form = mesh.positions, "v %.9g %.9g %.9g"
    if mesh.colours is not None:
        encoded = np.clip(srgb_from_linear(mesh.colours[:, :3]), 0, 1)
        table, form = np.concatenate([table, encoded.astype(np.float32)], axis=1), form + " %.4f %.4f %.4f"
    lines = _formatted(form, table)
    corner = "%d"
    if mesh.uvs is not None:
        lines += _formatted("vt %.9g %.9g", mesh.uvs)
        corner = "%d/%d"
    if mesh.normals is not None:
        lines += _formatted("vn %.7g %.7g %.7g", mesh.normals)
        corner = "%d//%d" if mesh.uvs is None else "%d/%d/%d"
    indices = np.repeat(mesh.faces.astype(np.int64) + 1, corner.count("%d"), axis=1)
    return lines + [f"f {corner} {corner} {corner}" % tuple(row) for row in indices.tolist()]


def _formatted(form: str, table: FloatArray) -> list[str]:
    return [form % tuple(row) for row in table.tolist()]


def _material(material: Material, folder: Path, stem: str, provenance: str, effort: png.Effort) -> list[ExportedFile]:
    files, lines = [], ["newmtl material", "Kd 1 1 1", "Ks 0 0 0", f"Ni {material.ior:g}", "illum 2"]
    for role, statement in _STATEMENTS.items():
        if role not in material.maps:
            continue
        [file] = png.encode(
            material.maps[role], folder, f"{stem}_{role}", host=WEB, provenance=provenance, depth=8, effort=effort
        )
        space = ColourSpace.SRGB if role in (MapName.BASE_COLOR, MapName.EMISSION) else ColourSpace.DATA
        files.append(ExportedFile(file.file, role, file.media_type, space, file.bytes))
        lines.append(f"{statement} {file.file}")
        if role is MapName.EMISSION:
            lines.append("Ke 1 1 1")
    path = folder / f"{stem}.mtl"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
    return [ExportedFile(path.name, "material", MATERIAL_TYPE, None, path.stat().st_size), *files]


def decode(path: Path, limits: Limits) -> Mesh:
    """The file's polygons as triangles, without its material. Raises `DamagedFile` or `TooLarge`."""
    return read_mesh(path, limits)


FORMATS = (
    Format(
        name="obj",
        title="Wavefront OBJ",
        kinds=(Kind.MESH,),
        extension=".obj",
        media_type=MEDIA_TYPE,
        encode="engines.formats.obj:encode",
        decode="engines.formats.obj:decode",
        options=("effort",),
    ),
)
