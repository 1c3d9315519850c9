"""USD: a mesh with its material as UsdPreviewSurface and its textures as PNG files beside it, or a cloud of splats.

The stage is self-describing: +Y up, metres (`metersPerUnit` 1), right-handed, `st` counted from the bottom left;
that is the neutral convention, and every host's importer turns it into its own. A material alone is shown on the
same plane as in GLB. Vertex colours go to `displayColor`, which viewers show where no base colour texture is bound.

Meshes are written, not read; splats are read too, in a process of their own (`engines.usd_splats`).

Source: the specifications of UsdGeomMesh and UsdPreviewSurface 2.6.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.assets import Material, Mesh, Splats
from engines.conventions import Host
from engines.errors import UnsuitableAsset
from engines.formats import png
from engines.formats.glb import display_plane
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_mesh, check_splats
from engines.kinds import Kind, MapName
from engines.packing import Texture, see_through, textures
from engines.usd_splats import define_splats, read_splats
from engines.web import WEB

MEDIA_TYPE = "model/vnd.usd"
_ROOT, _MATERIAL = "/Asset", "/Asset/Material"


def encode(
    asset: Mesh | Material | Splats,
    folder: Path,
    stem: str,
    *,
    host: Host,
    provenance: str = "",
    style: Literal["usdc", "usda"] = "usdc",
    effort: png.Effort = "quick",
) -> list[ExportedFile]:
    """Write `stem.usdc` (binary) or `stem.usda` (text), and `stem_<role>.png` for each texture.

    Raises `UnsuitableAsset`.
    """
    from pxr import Gf, Sdf, UsdGeom, UsdShade, Vt

    path = folder / f"{stem}.{style}"
    if isinstance(asset, Splats):
        check_splats(asset)
        stage = _stage(path, asset.name, provenance)
        define_splats(stage, f"{_ROOT}/Splats", asset)
        stage.GetRootLayer().Save()
        return [ExportedFile(path.name, "splats", MEDIA_TYPE, None, path.stat().st_size)]
    mesh = display_plane(asset) if isinstance(asset, Material) else asset
    check_mesh(mesh)
    if len(mesh.faces) == 0:
        raise UnsuitableAsset(f"mesh {mesh.name!r} has no faces; USD takes points in another way")
    stage = _stage(path, mesh.name, provenance)
    shape = UsdGeom.Mesh.Define(stage, f"{_ROOT}/Mesh")
    _fill(shape, mesh, UsdGeom, Sdf, Vt, Gf)
    written: list[ExportedFile] = []
    if mesh.material is not None:
        parts = [part for part in textures(mesh.material, WEB) if part.role != MapName.HEIGHT]
        written = [_texture(part, folder, stem, provenance, effort) for part in parts]
        files = {part.role: file.file for part, file in zip(parts, written, strict=True)}
        drawn = next((see_through(part.image.pixels) for part in parts if part.role == MapName.BASE_COLOR), "opaque")
        preview = _Preview(stage, mesh.material, files, Sdf, UsdShade, Gf)
        material = preview.material
        if drawn != "opaque":
            shape.CreateDoubleSidedAttr(True)
        if drawn == "cut_out":
            preview.surface.CreateInput("opacityThreshold", Sdf.ValueTypeNames.Float).Set(0.5)
        UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)
    stage.GetRootLayer().Save()
    return [ExportedFile(path.name, "mesh", MEDIA_TYPE, None, path.stat().st_size), *written]


def decode(path: Path, limits: Limits) -> Splats:
    """All splats of a USD file, binary or text. Raises `DamagedFile` also for one without any, or `TooLarge`."""
    return read_splats(path, limits)


def _stage(path: Path, name: str, provenance: str) -> Any:
    """A new stage in metres, +Y up, whose default prim is `_ROOT`."""
    from pxr import Kind as PrimKind
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    if provenance:
        stage.GetRootLayer().customLayerData = {"scenecast": json.dumps(json.loads(provenance), sort_keys=True)}
    root = UsdGeom.Xform.Define(stage, _ROOT)
    stage.SetDefaultPrim(root.GetPrim())
    Usd.ModelAPI(root).SetKind(PrimKind.Tokens.component)
    if name:
        root.GetPrim().SetDisplayName(name)
    return stage


def _texture(part: Texture, folder: Path, stem: str, provenance: str, effort: png.Effort) -> ExportedFile:
    [file] = png.encode(
        part.image, folder, f"{stem}_{part.role}", host=WEB, provenance=provenance, depth=8, effort=effort
    )
    return replace(file, role=part.role)


def _fill(shape: Any, mesh: Mesh, geom: Any, sdf: Any, vt: Any, gf: Any) -> None:
    """Points, faces, normals, uvs and colours of a UsdGeomMesh; plain triangles, no subdivision."""
    positions = np.ascontiguousarray(mesh.positions, np.float32)
    shape.CreateSubdivisionSchemeAttr(geom.Tokens.none)
    shape.CreatePointsAttr(vt.Vec3fArray.FromNumpy(positions))
    shape.CreateFaceVertexCountsAttr(vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    shape.CreateFaceVertexIndicesAttr(vt.IntArray.FromNumpy(mesh.faces.astype(np.int32).reshape(-1)))
    bounds = [gf.Vec3f(*(float(v) for v in bound)) for bound in (positions.min(axis=0), positions.max(axis=0))]
    shape.CreateExtentAttr(vt.Vec3fArray(bounds))
    primvars = geom.PrimvarsAPI(shape)
    if mesh.normals is not None:
        normals = np.ascontiguousarray(mesh.normals, np.float32)
        shape.CreateNormalsAttr(vt.Vec3fArray.FromNumpy(normals))
        shape.SetNormalsInterpolation(geom.Tokens.vertex)
    if mesh.uvs is not None:
        st = primvars.CreatePrimvar("st", sdf.ValueTypeNames.TexCoord2fArray, geom.Tokens.vertex)
        st.Set(vt.Vec2fArray.FromNumpy(np.ascontiguousarray(mesh.uvs, np.float32)))
    if mesh.colours is not None:
        colours = shape.CreateDisplayColorPrimvar(geom.Tokens.vertex)
        colours.Set(vt.Vec3fArray.FromNumpy(np.ascontiguousarray(mesh.colours[:, :3], np.float32)))
        if mesh.colours.shape[1] == 4:
            opacity = shape.CreateDisplayOpacityPrimvar(geom.Tokens.vertex)
            opacity.Set(vt.FloatArray.FromNumpy(np.ascontiguousarray(mesh.colours[:, 3], np.float32)))


class _Preview:
    """A UsdPreviewSurface network: one reader of `st`, one UsdUVTexture a file, one surface."""

    def __init__(self, stage: Any, material: Material, files: dict[str, str], sdf: Any, shade: Any, gf: Any) -> None:
        self._stage, self._sdf, self._shade, self._gf = stage, sdf, shade, gf
        self._wrap = "repeat" if material.tileable else "clamp"
        types = sdf.ValueTypeNames
        self.material = shade.Material.Define(stage, _MATERIAL)
        prim = self.material.GetPrim()
        prim.SetCustomDataByKey("scenecast:tile_m", material.tile_m)
        prim.SetCustomDataByKey("scenecast:height_m", material.height_m)
        if material.name:
            prim.SetDisplayName(material.name)
        self.surface = surface = self._shader("Surface", "UsdPreviewSurface")
        self.material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", types.Token))
        self._reader = self._shader("St", "UsdPrimvarReader_float2")
        self._reader.CreateInput("varname", types.String).Set("st")
        self._reader.CreateOutput("result", types.Float2)
        surface.CreateInput("ior", types.Float).Set(float(material.ior))
        for role, inputs in (
            (MapName.BASE_COLOR, (("diffuseColor", types.Color3f, "rgb"), ("opacity", types.Float, "a"))),
            (MapName.EMISSION, (("emissiveColor", types.Color3f, "rgb"),)),
            (MapName.NORMAL, (("normal", types.Normal3f, "rgb"),)),
            ("orm", (("occlusion", types.Float, "r"), ("roughness", types.Float, "g"), ("metallic", types.Float, "b"))),
        ):
            if role not in files:
                continue
            texture = self._texture(str(role), files[role])
            for name, kind, channel in inputs:
                if name == "opacity" and MapName.OPACITY not in material.maps:
                    continue
                output = texture.CreateOutput(channel, types.Float3 if channel == "rgb" else types.Float)
                surface.CreateInput(name, kind).ConnectToSource(output)

    def _shader(self, name: str, kind: str) -> Any:
        shader = self._shade.Shader.Define(self._stage, f"{_MATERIAL}/{name}")
        shader.CreateIdAttr(kind)
        return shader

    def _texture(self, role: str, file: str) -> Any:
        types = self._sdf.ValueTypeNames
        texture = self._shader(role.title().replace("_", ""), "UsdUVTexture")
        texture.CreateInput("file", types.Asset).Set(self._sdf.AssetPath(f"./{file}"))
        texture.CreateInput("st", types.Float2).ConnectToSource(self._reader.GetOutput("result"))
        for axis in ("wrapS", "wrapT"):
            texture.CreateInput(axis, types.Token).Set(self._wrap)
        colour = role in (MapName.BASE_COLOR, MapName.EMISSION)
        texture.CreateInput("sourceColorSpace", types.Token).Set("sRGB" if colour else "raw")
        if role == MapName.NORMAL:
            # 0..1 in the file, -1..1 at the surface; the specification asks for it to be said here.
            texture.CreateInput("scale", types.Float4).Set(self._gf.Vec4f(2, 2, 2, 1))
            texture.CreateInput("bias", types.Float4).Set(self._gf.Vec4f(-1, -1, -1, 0))
        return texture


FORMATS = (
    Format(
        name="usd",
        title="Universal Scene Description",
        kinds=(Kind.MESH, Kind.MATERIAL, Kind.SPLATS),
        extension=".usdc",
        media_type=MEDIA_TYPE,
        encode="engines.formats.usd:encode",
        decode="engines.formats.usd:decode",
        needs=("pxr", "PIL"),
    ),
)
