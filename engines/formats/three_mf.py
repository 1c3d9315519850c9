"""3MF (3MF Consortium, core 1.3): what today's slicers want, in millimetres with Z up, as a welded surface.

Vertex colours and the base colour at each corner go into a colour group of the materials extension. Read: all objects
of the build with their transforms and the file's unit, also those in models of their own (production extension 1.1), as
one bare surface. The archive is judged before it is unpacked, and a document type, by which XML can be made to grow, is
refused.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import Mesh
from engines.colour import linear_pixels, srgb_from_linear
from engines.conventions import Host
from engines.errors import UnsuitableAsset
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_mesh, welded
from engines.kinds import Kind, MapName
from engines.three_mf_reader import read_mesh
from engines.transforms import PRINT, move_mesh

MEDIA_TYPE = "model/3mf"
_TYPES = """<?xml version="1.0" encoding="UTF-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/>
</Types>
"""
_RELATIONS = """<?xml version="1.0" encoding="UTF-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Target="/3D/3dmodel.model" Id="rel0" Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/>
</Relationships>
"""
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<model unit="millimeter" xml:lang="en-US" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02" \
xmlns:m="http://schemas.microsoft.com/3dmanufacturing/material/2015/02">
<metadata name="Application">Scenecast</metadata>
"""


def encode(asset: Mesh, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.3mf`. Raises `UnsuitableAsset`."""
    check_mesh(asset)
    moved = move_mesh(asset, PRINT)
    bare = welded(moved)
    if len(bare.faces) == 0:
        raise UnsuitableAsset(f"mesh {asset.name!r} has no faces with an area, and 3MF holds nothing else")
    path = folder / f"{stem}.3mf"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            ("[Content_Types].xml", _TYPES),
            ("_rels/.rels", _RELATIONS),
            ("3D/3dmodel.model", _model(bare, moved, provenance)),
        ):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return [ExportedFile(path.name, "mesh", MEDIA_TYPE, None, path.stat().st_size)]


def _model(bare: Mesh, moved: Mesh, provenance: str) -> str:
    text = io.StringIO()
    text.write(_HEAD)
    if provenance:
        note = json.dumps(json.loads(provenance), sort_keys=True)
        text.write(f'<metadata name="Description">{_escaped(note)}</metadata>\n')
    text.write("<resources>\n")
    corners = _colours(moved)
    if corners is not None:
        codes, rows = np.unique(corners.reshape(-1, 4), axis=0, return_inverse=True)
        marks = "".join(f'<m:color color="#{bytes(code).hex().upper()}"/>' for code in codes)
        text.write(f'<m:colorgroup id="2">{marks}</m:colorgroup>\n')
    name = f' name="{_escaped(bare.name)}"' if bare.name else ""
    text.write(f'<object id="1" type="model"{name}><mesh><vertices>\n')
    form = '<vertex x="%.9g" y="%.9g" z="%.9g"/>'
    text.write("\n".join(form % tuple(row) for row in bare.positions.tolist()))
    text.write("\n</vertices><triangles>\n")
    if corners is None:
        table, form = bare.faces, '<triangle v1="%d" v2="%d" v3="%d"/>'
    else:
        table = np.concatenate([bare.faces.astype(np.int64), rows.reshape(-1, 3)], axis=1)
        form = '<triangle v1="%d" v2="%d" v3="%d" pid="2" p1="%d" p2="%d" p3="%d"/>'
    text.write("\n".join(form % tuple(row) for row in table.tolist()))
    text.write('\n</triangles></mesh></object>\n</resources>\n<build><item objectid="1"/></build>\n</model>\n')
    return text.getvalue()


def _colours(mesh: Mesh) -> NDArray[np.uint8] | None:
    """sRGB and alpha of every corner of the triangles that are kept, uint8 [F, 3, 4]; None where all is white."""
    painted = _painted(mesh)
    if mesh.colours is None and painted is None:
        return None
    rgba = np.ones((len(mesh.positions), 4), np.float32)
    if mesh.colours is not None:
        rgba[:, : mesh.colours.shape[1]] = mesh.colours
    if painted is not None:
        rgba[:, :3] *= painted
    rgba[:, :3] = srgb_from_linear(rgba[:, :3])
    codes: NDArray[np.uint8] = np.round(np.clip(rgba, 0, 1) * 255).astype(np.uint8)
    corners = mesh.positions[mesh.faces]
    same = [(corners[:, a] == corners[:, b]).all(axis=1) for a, b in ((0, 1), (1, 2), (2, 0))]
    kept: NDArray[np.uint8] = codes[mesh.faces[~(same[0] | same[1] | same[2])]]
    return kept


def _painted(mesh: Mesh) -> NDArray[np.float32] | None:
    """Linear light of the base colour texture at every vertex, float32 [V, 3]: a printer's colours are its corners'."""
    base = mesh.material.maps.get(MapName.BASE_COLOR) if mesh.material is not None else None
    if base is None or mesh.uvs is None:
        return None
    height, width = base.pixels.shape[:2]
    uvs = mesh.uvs.astype(np.float64)
    u, v = np.where((uvs >= 0) & (uvs <= 1), uvs, uvs % 1.0).T  # textures repeat, but 1 is an edge of the first
    columns = np.minimum((u * width).astype(np.int64), width - 1)
    rows = np.clip(((1 - v) * height).astype(np.int64), 0, height - 1)
    picked = replace(base, pixels=np.ascontiguousarray(base.pixels[rows, columns][None]))
    return linear_pixels(picked)[0, :, :3]


def _escaped(text: str) -> str:
    from xml.sax.saxutils import escape

    printable = "".join(each if each.isprintable() else " " for each in text)
    return escape(printable, {'"': "&quot;"})


def decode(path: Path, limits: Limits) -> Mesh:
    """All that the file's build places, as one surface. Raises `DamagedFile` or `TooLarge`."""
    return read_mesh(path, limits)


FORMATS = (
    Format(
        name="3mf",
        title="3D Manufacturing Format",
        kinds=(Kind.MESH,),
        extension=".3mf",
        media_type=MEDIA_TYPE,
        encode="engines.formats.three_mf:encode",
        decode="engines.formats.three_mf:decode",
    ),
)
