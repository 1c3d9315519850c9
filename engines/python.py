"""What a Python program that uses the SDK gets: the neutral convention itself, every map by itself."""

from __future__ import annotations

from engines.conventions import Axes, Host
from engines.kinds import Kind, MapName

PYTHON = Host(
    name="python",
    title="Python",
    axes=Axes(x="right", y="up", z="back"),
    handed="right",
    unit_m=1.0,
    front="ccw",
    normal_y=1,
    uv_origin="bottom_left",
    formats={
        Kind.IMAGE: ("png", "exr", "jpeg", "npy"),
        Kind.MATERIAL: ("png", "exr", "jpeg", "glb"),
        Kind.CLIP: ("mp4", "png_sequence", "jpeg_sequence", "npy"),
        Kind.SPLATS: ("ply", "spz", "compressed_ply", "splat", "ksplat", "sog", "glb", "usd"),
        Kind.MESH: ("glb", "ply", "usd", "obj", "stl", "3mf"),
        Kind.FIELD: ("npy",),
        Kind.SOUND: ("wav", "npy"),
        Kind.SCENE: ("scene",),
        Kind.CAPTURE: ("zip",),
    },
    plain_maps=tuple(MapName),
)
