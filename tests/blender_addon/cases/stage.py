"""What cases share inside Blender: deliveries, a camera and lights, small renders, and states to compare."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import bpy
import mathutils

from blender_addon import provenance
from blender_addon.core.delivered import Delivered
from blender_addon.core.targets import PlacementError
from blender_addon.placement.node_sheet import box


def delivery(inputs: dict[str, Any], name: str) -> Delivered:
    return Delivered.from_json(inputs[name])


def record(thing: Any) -> provenance.Record:
    """What is kept about how it was made; fails when nothing is."""
    kept = provenance.read(thing)
    if kept is None:
        raise AssertionError(f"nothing is kept about {thing}")
    return kept


def refusal(act: Any) -> str:
    """What is said when it is refused; fails when it is not."""
    try:
        act()
    except PlacementError as error:
        return str(error)
    raise AssertionError("it was not refused")


def state() -> str:
    """Names and users of everything that placing could touch, as text: equal before and after what changes nothing."""
    rows = [
        (
            row.identifier,
            sorted(
                (block.name_full, block.users)
                for block in getattr(bpy.data, row.identifier)
                if getattr(block, "type", "") != "RENDER_RESULT"
            ),
        )
        for row in bpy.data.bl_rna.properties
        if row.type == "COLLECTION" and row.identifier not in ("screens", "workspaces", "window_managers", "brushes")
    ]
    return json.dumps(rows)


def difference(before: str, after: str) -> list[Any]:
    """Collections of which something came, went or changed its number of users."""
    return [[old, new] for old, new in zip(json.loads(before), json.loads(after), strict=True) if old != new]


def overlapping(tree: Any) -> list[str]:
    """Pairs of nodes of one frame, and of frames, that lie over each other."""
    nodes = list(tree.nodes)
    pairs = []
    for a, b in combinations(nodes, 2):
        if a.parent == b or b.parent == a or (a.parent != b.parent and "FRAME" not in (a.type, b.type)):
            continue
        (left, bottom, right, top), (left2, bottom2, right2, top2) = box(a), box(b)
        if left < right2 and left2 < right and bottom < top2 and bottom2 < top:
            pairs.append(f"{a.name} / {b.name}")
    return pairs


def camera(centre: tuple[float, float, float], width_m: float, towards: tuple[float, float, float] = (0, 1, 0)) -> None:
    """An orthographic camera on `centre` that looks `towards`, the picture `width_m` wide and square."""
    scene = bpy.context.scene
    item = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    scene.collection.objects.link(item)
    item.data.type, item.data.ortho_scale = "ORTHO", width_m
    direction = mathutils.Vector(towards).normalized()
    item.location = mathutils.Vector(centre) - direction * 5
    item.rotation_euler = direction.to_track_quat("-Z", "Y").to_euler()
    scene.camera = item


def sky(strength: float) -> None:
    scene = bpy.context.scene
    scene.world = scene.world or bpy.data.worlds.new("Sky")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    background = next(node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1, 1, 1, 1)
    background.inputs["Strength"].default_value = strength


def sun(from_direction: tuple[float, float, float], strength: float = 3.0) -> Any:
    """Sunlight that comes from that direction; any earlier sun is gone."""
    for old in [item for item in bpy.data.objects if item.name.startswith("Sun")]:
        bpy.data.objects.remove(old)
    item = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    bpy.context.scene.collection.objects.link(item)
    item.data.energy, item.data.angle = strength, math.radians(5)
    item.rotation_euler = (-mathutils.Vector(from_direction)).to_track_quat("-Z", "Y").to_euler()
    return item


def render(path: Path, size_px: int = 96, samples: int = 8) -> str:
    """A Cycles picture, sRGB without a view transform; its path."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.seed = samples, False, 1
    scene.render.resolution_x = scene.render.resolution_y = size_px
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return str(path)


def plane(name: str = "Wall", side_m: float = 2.0) -> Any:
    """An upright square that faces the front view, with UVs."""
    bpy.ops.mesh.primitive_plane_add(size=side_m, rotation=(math.pi / 2, 0, 0))
    item = bpy.context.view_layer.objects.active
    item.name = name
    return item


def reload(path: Path) -> None:
    """Save the file, and open it again."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
