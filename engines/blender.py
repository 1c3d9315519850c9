"""What Blender (4.2 and newer) believes."""

from __future__ import annotations

from engines.conventions import Axes, Host
from engines.kinds import Kind, MapName

BLENDER = Host(
    name="blender",
    title="Blender",
    axes=Axes(x="right", y="forward", z="up"),
    handed="right",
    unit_m=1.0,
    front="ccw",
    normal_y=1,
    uv_origin="bottom_left",
    formats={
        Kind.IMAGE: ("png", "exr", "jpeg"),
        Kind.MATERIAL: ("png", "exr", "jpeg", "glb"),
        Kind.CLIP: ("mp4", "png_sequence", "jpeg_sequence"),
        Kind.SPLATS: ("ply", "spz"),
        Kind.MESH: ("glb", "ply", "usd", "obj", "stl", "3mf"),
        Kind.FIELD: ("npy",),
        Kind.SOUND: ("wav",),
        Kind.SCENE: ("scene",),
        Kind.CAPTURE: ("zip",),
    },
    plain_maps=tuple(MapName),
    quirks=(
        "The front view looks along +Y, so what faces the artist faces -Y (Blender manual, Editors › 3D Viewport "
        "› Navigating › Viewpoint).",
        "The Normal Map node reads green as up; data maps need the Non-Color space (Blender manual, Normal Map Node).",
        "Only the colour spaces sRGB, Non-Color and Linear Rec.709 keep their names from 4.2 to 5.x (seen in bpy "
        "4.2.23, 4.5.15, 5.0.1).",
        "GLB must be plain: Draco fails in bpy 4.2 and meshopt in 4.2 to 5.0 (tried).",
        "STL and 3MF are for printers: millimetres, Z up, so Blender's STL importer needs the scale 0.001 (3MF core "
        "specification 1.3; Blender manual, Importing & Exporting STL Files).",
        "The PLY importer keeps every property of a splat cloud as a float attribute (tried, 4.2 to 5.2); of the "
        "compressed formats Blender itself reads none.",
    ),
)
