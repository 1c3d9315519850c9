"""What Unreal Engine 5 believes."""

from __future__ import annotations

from engines.conventions import Axes, Host, PackedMap
from engines.kinds import Kind, MapName

UNREAL = Host(
    name="unreal",
    title="Unreal Engine",
    axes=Axes(x="forward", y="right", z="up"),
    handed="left",
    unit_m=0.01,
    front="ccw",
    normal_y=-1,
    uv_origin="top_left",
    formats={
        Kind.IMAGE: ("png", "exr", "jpeg"),
        Kind.MATERIAL: ("png", "exr", "jpeg", "glb"),
        Kind.CLIP: ("mp4", "png_sequence", "jpeg_sequence"),
        Kind.SPLATS: ("ply", "spz"),
        Kind.MESH: ("glb", "usd", "ply", "obj"),
        Kind.FIELD: ("npy",),
        Kind.SOUND: ("wav",),
        Kind.SCENE: ("scene",),
        Kind.CAPTURE: ("zip",),
    },
    plain_maps=(
        MapName.BASE_COLOR,
        MapName.NORMAL,
        MapName.HEIGHT,
        MapName.EMISSION,
        MapName.OPACITY,
    ),
    packed=(
        PackedMap(
            name="orm",
            channels={"r": "occlusion", "g": "roughness", "b": "metallic"},
            fill={"r": 1.0, "g": 0.5, "b": 0.0},
        ),
    ),
    quirks=(
        "Left-handed with Z up and X forward, in centimetres (Unreal documentation, Coordinate System and Spaces).",
        "The renderer's front is where the cross product of a face's edges opposes the normal (Unreal Python API, "
        "FaceWindingOrder); in left-handed axes that is counter-clockwise to the eye.",
        "Normal maps are DirectX-style, green down, and need the compression Normalmap (Unreal documentation, "
        "Texture Format Support and Settings).",
        "orm needs sRGB off, best by the compression Masks (Unreal documentation, Texture Compression Settings).",
        "Unreal's glTF importer puts glTF's (x, y, z) at 100 · (x, z, y), where a front faces +Y: turn an imported GLB "
        "by a yaw of 90° within what this row places (Unreal source, GLTFCore, ConversionUtilities.h).",
        "Splats: UEFN imports binary PLY and SPZ, plug-ins for Unreal PLY (Epic documentation, Gaussian Splats "
        "Technical Reference in UEFN).",
        "Movies play through Media Framework from Content/Movies; image sequences through ImgMedia (Unreal "
        "documentation, Media Framework).",
    ),
)
