"""Cases about pictures, clips and sounds, run inside Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from blender_addon.placement import Target, media, place
from tests.blender_addon.cases import stage


def textured(name: str) -> Any:
    """An upright square whose material has an active image texture node."""
    wall = stage.plane(name)
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    material.node_tree.nodes.active = node
    wall.data.materials.append(material)
    return node


def strips() -> list[Any]:
    editor = bpy.context.scene.sequence_editor
    return list(editor.strips if hasattr(editor, "strips") else editor.sequences)


def pictures(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """An image in every place it can go, each twice."""
    result = stage.delivery(inputs, "image")
    bpy.ops.ed.undo_push(message="before")
    kept = place(result)
    seen: dict[str, Any] = {"image": [kept.target, kept.changed, kept.message, place(result).changed]}
    image = bpy.data.images[kept.datablocks[0][1]]
    seen["datablock"] = [image.name, image.size[:], image.packed_file is not None, image.colorspace_settings.name]
    seen["fake_user"] = image.use_fake_user
    bpy.ops.ed.undo()
    seen["undone"] = len(bpy.data.images)
    bpy.ops.ed.redo()
    textured("Wall")
    auto = place(result)
    material = bpy.data.materials["Wall"]
    seen["texture_node"] = [
        auto.target,
        auto.changed,
        material.node_tree.nodes.active.image.name,
        place(result).changed,
    ]
    target = Target("texture_node", material_name="Wall", node_name=material.node_tree.nodes.active.name)
    seen["named_node"] = place(result, target).changed
    seen["no_node"] = stage.refusal(lambda: place(result, Target("texture_node", material_name="Nothing")))
    seen["no_camera"] = stage.refusal(lambda: place(result, Target("camera_background")))
    stage.camera((0, 0, 0), 2.0)
    behind = place(result, Target("camera_background"))
    eye = bpy.context.scene.camera.data
    seen["camera"] = [behind.changed, eye.show_background_images, len(eye.background_images)]
    seen["camera_again"] = [place(result, Target("camera_background")).changed, len(eye.background_images)]
    worn = place(result, Target("active_slot", object_name="Wall"))
    seen["worn"] = [worn.changed, place(result, Target("active_slot", object_name="Wall")).changed]
    seen["images"] = len(bpy.data.images)
    stage.sky(1.0)
    seen["picture"] = stage.render(folder / "picture.png")
    return seen


def clip(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """A clip on an object, in a node, behind the camera, as a strip; then saved, its file coming along."""
    result = stage.delivery(inputs, "clip")
    stage.plane()
    stage.camera((0, 0, 0), 2.0)
    stage.sky(0.0)
    bpy.ops.ed.undo_push(message="before")
    first = place(result)
    seen: dict[str, Any] = {"placed": [first.target, first.changed, first.notes], "again": place(result).changed}
    image = bpy.data.images[first.datablocks[1][1]]
    seen["image"] = [image.source, image.colorspace_settings.name]
    user = next(n for n in bpy.data.materials[0].node_tree.nodes if n.type == "TEX_IMAGE").image_user
    seen["user"] = [user.frame_duration, user.use_auto_refresh, user.use_cyclic, user.frame_start]
    count = len(result.files) if len(result.files) > 1 else int(inputs["frames"])
    for frame in (1, count, count + 1):
        bpy.context.scene.frame_set(frame)
        seen[f"frame_{frame}"] = stage.render(folder / f"frame_{frame}.png", size_px=64, samples=4)
    waiting = Path(bpy.path.abspath(image.filepath))
    seen["waiting"] = str(folder / "blender_user") in str(waiting)
    behind = place(result, Target("camera_background"))
    background = bpy.context.scene.camera.data.background_images[0].image_user
    seen["camera"] = [behind.changed, background.frame_duration, background.use_auto_refresh]
    bpy.context.scene.frame_set(5)
    strip = place(result, Target("sequencer"))
    seen["strip"] = [strip.changed, strip.target, place(result, Target("sequencer")).changed]
    second = place(result, Target("sequencer", frame=6))
    third = place(result, Target("sequencer", frame=5 + 10 * count))
    seen["strips"] = sorted([s.frame_final_start, s.frame_final_duration, s.channel] for s in strips())
    seen["more_strips"] = [second.changed, third.changed]
    media.register()
    (folder / "project").mkdir()
    stage.reload(folder / "project" / "scene.blend")
    seen["moved"] = [
        bpy.path.abspath(thing.filepath if hasattr(thing, "filepath") else thing.directory)
        for thing in [*[i for i in bpy.data.images if i.source in ("MOVIE", "SEQUENCE")], *strips()]
    ]
    bpy.context.scene.frame_set(count)
    seen["sequencer"] = stage.render(folder / "sequencer.png", size_px=64, samples=4)
    bpy.context.scene.render.use_sequencer = False
    seen["still_plays"] = stage.render(folder / "still.png", size_px=64, samples=4)
    seen["after_reload"] = place(result, Target("active_slot", object_name="Wall")).changed
    media.unregister()
    return seen


def sound(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """A sound as a strip, beside another, and as a speaker; each twice; undone and redone; reloaded."""
    result = stage.delivery(inputs, "sound")
    scene = bpy.context.scene
    scene.frame_set(12)
    scene.cursor.location = (1, 2, 3)
    bpy.ops.ed.undo_push(message="before")
    if not bpy.app.build_options.audaspace:
        both = (Target("sequencer"), Target("speaker"))
        return {"refused": [stage.refusal(lambda target=target: place(result, target)) for target in both]}
    first = place(result)
    seen: dict[str, Any] = {"strip": [first.target, first.changed, place(result).changed]}
    seen["strips"] = [[s.type, s.frame_final_start, s.channel, s.sound.packed_file is not None] for s in strips()]
    bpy.ops.ed.undo()
    editor = bpy.context.scene.sequence_editor
    seen["undone"] = 0 if editor is None else len(strips())
    bpy.ops.ed.redo()
    seen["redone"] = len(strips())
    speaker = place(result, Target("speaker"))
    name = speaker.datablocks[0][1]
    again = place(result, Target("speaker"))
    item = bpy.data.objects[name]
    tracks = item.animation_data.nla_tracks
    seen["speaker"] = [speaker.changed, again.changed, item.location[:], [s.frame_start for s in tracks[0].strips]]
    seen["packed"] = item.data.sound.packed_file is not None
    stage.reload(folder / "scene.blend")
    seen["reloaded"] = [
        place(result, Target("speaker")).changed,
        place(result, Target("sequencer")).changed,
        bpy.data.objects[name].data.sound is not None,
        bpy.data.objects[name].data.sound.samplerate,
    ]
    return seen


def view_and_depth(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """A view through a camera and the depth that comes with it, in either order: the view is what is shown."""
    seen: dict[str, Any] = {}
    for order in (("view", "depth"), ("depth", "view")):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        stage.camera((0, 0, 0), 2.0)
        said = {name: place(stage.delivery(inputs, name), Target("camera_background")) for name in order}
        shown = [one.image.name for one in bpy.context.scene.camera.data.background_images]
        kept = bpy.data.images["Field depth"]
        seen[order[0]] = [shown, said["depth"].target, said["depth"].notes, kept.use_fake_user, said["view"].target]
    return seen
