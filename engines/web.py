"""What a browser believes: glTF 2.0's conventions, which three.js, Babylon.js and model-viewer share."""

from __future__ import annotations

from engines.conventions import Axes, Host, PackedMap
from engines.kinds import Kind, MapName

WEB = Host(
    name="web",
    title="Browser (glTF)",
    axes=Axes(x="right", y="up", z="back"),
    handed="right",
    unit_m=1.0,
    front="ccw",
    normal_y=1,
    uv_origin="top_left",
    formats={
        Kind.IMAGE: ("png", "jpeg"),
        Kind.MATERIAL: ("png", "jpeg", "glb"),
        Kind.CLIP: ("mp4", "jpeg_sequence", "png_sequence"),
        Kind.SPLATS: ("spz", "sog", "compressed_ply", "splat", "ksplat", "glb", "ply"),
        Kind.MESH: ("glb", "ply", "obj", "stl", "3mf"),
        Kind.FIELD: ("npy",),
        Kind.SOUND: ("wav",),
        Kind.SCENE: ("scene",),
        Kind.CAPTURE: ("zip",),
    },
    plain_maps=(MapName.BASE_COLOR, MapName.NORMAL, MapName.HEIGHT, MapName.EMISSION),
    packed=(
        PackedMap(
            name="orm",
            channels={"r": "occlusion", "g": "roughness", "b": "metallic"},
            fill={"r": 1.0, "g": 0.5, "b": 0.0},
        ),
    ),
    quirks=(
        "+Y up, +Z towards the viewer, metres, counter-clockwise front (glTF 2.0 §3.4, §3.7.2).",
        "orm serves as metallicRoughnessTexture and occlusionTexture at once (glTF 2.0 §3.9.2, §3.9.3).",
        "Texture v runs downwards from the top row (glTF 2.0 §3.8.3).",
        "STL and 3MF are for printers: millimetres, Z up; three.js reads both, and OBJ (three.js documentation, "
        "STLLoader, 3MFLoader, OBJLoader).",
        "Opacity rides in the alpha of base_color (glTF 2.0 §3.9.2).",
        "Splats: SPZ, SOG, compressed PLY, .splat and PLY are read by Spark and Babylon.js, KSPLAT by Spark, SOG and "
        "compressed PLY and GLB also by PlayCanvas (Spark README; PlayCanvas manual, Splat File Formats; "
        "Babylon.js documentation, Gaussian Splatting File Loader Plugin).",
    ),
)
