"""What Unity (2021.3 and newer) believes, in all three of its render pipelines."""

from __future__ import annotations

from engines.conventions import Axes, Host, PackedMap
from engines.kinds import Kind, MapName

UNITY = Host(
    name="unity",
    title="Unity",
    # A Unity model faces its own +Z, "forward"; to the person looking at its front that is "back", towards them.
    axes=Axes(x="left", y="up", z="back"),
    handed="left",
    unit_m=1.0,
    front="cw",
    normal_y=1,
    uv_origin="bottom_left",
    formats={
        Kind.IMAGE: ("png", "exr", "jpeg"),
        Kind.MATERIAL: ("png", "exr", "jpeg", "glb"),
        Kind.CLIP: ("mp4", "png_sequence", "jpeg_sequence"),
        Kind.SPLATS: ("ply", "spz", "sog", "glb"),
        Kind.MESH: ("glb", "ply", "obj"),
        Kind.FIELD: ("npy",),
        Kind.SOUND: ("wav",),
        Kind.SCENE: ("scene",),
        Kind.CAPTURE: ("zip",),
    },
    plain_maps=(
        MapName.BASE_COLOR,
        MapName.NORMAL,
        MapName.HEIGHT,
        MapName.OCCLUSION,
        MapName.EMISSION,
    ),
    packed=(
        PackedMap(
            name="metallic_smoothness",
            channels={"r": "metallic", "g": "metallic", "b": "metallic", "a": "1-roughness"},
            fill={"r": 0.0, "g": 0.0, "b": 0.0, "a": 0.5},
        ),
        PackedMap(
            name="mask",
            channels={"r": "metallic", "g": "occlusion", "a": "1-roughness"},
            fill={"r": 0.0, "g": 1.0, "b": 1.0, "a": 0.5},
        ),
    ),
    quirks=(
        "glTF importers for Unity negate x, so that a front that faces +Z still does; this row agrees with them "
        "(UnityGLTF, issue 257; glTF 2.0 §3.4).",
        "Front faces run clockwise to the eye (Unity manual, Mesh index data).",
        "metallic_smoothness goes to _MetallicGlossMap of Standard and URP/Lit: metallic from red, smoothness "
        "from alpha (Unity manual, Metallic mode: Metallic Parameter).",
        "mask is HDRP/Lit's _MaskMap: metallic, occlusion, detail mask, smoothness; URP/Lit accepts it as metallic "
        "and occlusion map too (Unity manual, Mask and detail maps; Assign a channel-packed texture to a URP "
        "material).",
        "Opacity rides in the alpha of base_color, where every Lit shader reads it (Unity manual, Lit shader: "
        "Base Map).",
        "Data maps need sRGBTexture off and normal maps the type NormalMap (Unity scripting reference, "
        "TextureImporter).",
        "Splats: UnityGaussianSplatting imports PLY and SPZ (its README), UnitySplats also SOG and "
        "GLB with KHR_gaussian_splatting (its release 1.0.0).",
        "Unity reads no glTF by itself; GLB needs the package glTFast or UnityGLTF (Unity manual, Model file formats).",
    ),
)
