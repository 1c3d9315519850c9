"""Cases about the installed extension with a real bridge, run inside Blender."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy

from tests.blender_addon.cases import installed
from tests.blender_addon.cases.fake_layout import drawn
from tests.blender_addon.cases.installed import choose, connected, generate, panel, placed, pump, row, session, until
from tests.blender_addon.cases.serving import Serving

MAKE, JOBS = "SCENECAST_PT_make_view3d", "SCENECAST_PT_jobs_view3d"


def everything(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """One thing of each kind, placed; then undo, redo, save, load."""
    seen: dict[str, Any] = {}
    with Serving(inputs["python"], folder):
        installed.install(inputs["archive"])
        connected()
        bpy.ops.mesh.primitive_cube_add()
        cube = bpy.context.object.name
        bpy.ops.ed.undo_push(message="a cube")
        choose("material.procedural")
        seen["fits"] = [text for text in drawn(MAKE).texts if text.startswith("Selected object")]
        material = generate("material.procedural", prompt="wet mossy red bricks", size_px=256)
        seen["material"] = placed(material)
        seen["worn"] = bpy.data.objects[cube].active_material.name
        worn = bpy.data.objects[cube].active_material
        until(lambda: worn.preview is not None and worn.preview.image_size[0], "the Asset Browser's picture")
        seen["asset"] = [worn.asset_data is not None, worn.preview is not None and worn.preview.image_size[0] > 0]
        seen["seed"] = panel().seed == str(material.seed)
        panel().target = "new_material"
        clip = generate("clip.loop", kind="fire", size_px=64, frames=8)
        assert panel().target == "auto", "the target belongs to the kind of thing"
        seen["clip"] = placed(clip)
        seen["movies"] = [image.name for image in bpy.data.images if image.source in ("MOVIE", "SEQUENCE")]
        before = set(bpy.data.objects.keys())
        mesh = generate("mesh.rock", triangles=500, texture_px=256)
        seen["mesh"] = placed(mesh)
        rock = sorted(set(bpy.data.objects.keys()) - before)
        seen["rock"] = [len(rock), len(bpy.data.objects[rock[0]].data.vertices)]
        cloud = _cloud(mesh, seen)
        seen["steps"] = _undone_and_redone(cloud)
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
        seen["asked in"] = sorted({run.order.file for run in session().hub.runs})
        bpy.ops.wm.open_mainfile(filepath=str(folder / "scene.blend"))
        pump(0.2)
        seen["loaded"] = [cloud in bpy.data.objects, rock[0] in bpy.data.objects, len(panel().controls) > 0]
        seen["kept"] = session().form.values["count"]
        seen["list"] = [(run.order.generator, row(run).tone) for run in session().hub.runs]
        seen["drawn"] = [drawn(MAKE).operators.count("scenecast.generate"), len(drawn(JOBS).texts) > 4]
        seen["synthetic"] = sorted({item.record.generator for item in installed.part("provenance").synthetic()})
        assert bpy.ops.scenecast.list_synthetic() == {"FINISHED"}
        bpy.ops.preferences.addon_disable(module=installed.NAME)
        seen["gone"] = [hasattr(bpy.types.WindowManager, "scenecast"), hasattr(bpy.types, MAKE)]
    return seen


def _cloud(mesh: Any, seen: dict[str, Any]) -> str:
    """Splats made from the mesh that was made before."""
    choose("splats.from_mesh", count=1000)
    seen["wants"] = session().form.hindrances({})
    panel().inputs["mesh"].source = "result"
    drawn(MAKE)
    assert bpy.ops.scenecast.pick_result(port="mesh", digest=mesh.assets[0].digest) == {"FINISHED"}
    before = set(bpy.data.objects.keys())
    assert bpy.ops.scenecast.generate() == {"FINISHED"}
    seen["splats"] = placed(session().hub.runs[0])
    (cloud,) = set(bpy.data.objects.keys()) - before
    seen["cloud"] = len(bpy.data.objects[cloud].data.vertices)
    return str(cloud)


def _undone_and_redone(name: str) -> list[bool]:
    there = [name in bpy.data.objects]
    for step in (bpy.ops.ed.undo, bpy.ops.ed.redo):
        step()
        pump(0.1)  # nothing is placed a second time
        there.append(name in bpy.data.objects)
    return there


def panels(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """What is drawn in every state: no bridge, every generator, working, failed, cancelled, done."""
    serving = Serving(inputs["python"], folder)
    installed.install(inputs["archive"])
    until(lambda: session().hub.state.cause, "a look for a bridge")
    seen: dict[str, Any] = {"alone": drawn(MAKE).texts, "empty": drawn(JOBS).texts}
    with serving:
        bpy.ops.scenecast.reconnect()
        connected()
        seen["welcome"] = drawn(MAKE).texts[0]
        seen["generators"] = {}
        for generator in [one.id for one in session().hub.generators]:
            choose(generator)
            panel().advanced = True
            layout = drawn(MAKE)
            values = [path for kind, path in layout.said if kind == "prop"]
            seen["generators"][generator] = [len(session().form.controls), len(values), "scenecast.generate" in
                                             layout.operators, session().form.row.available,
                                             any(not port.optional for port in session().form.row.takes)]  # fmt: skip
            for source in [item.identifier for item in _sources()]:
                panel().inputs[0].source = source
                drawn(MAKE)
        held = generate("fake.script", sleep_secs=60.0, progress=4)
        until(lambda: held.state == "running" and held.fraction == 1.0, "some progress")
        seen["working"] = [text for kind, text in drawn(JOBS).said if kind == "progress"]
        failed = generate("fake.script", raises="told", sleep_secs=0.0, progress=0)
        assert bpy.ops.scenecast.cancel(key=held.key) == {"FINISHED"}
        until(lambda: held.over and failed.over, "a cancel and a failure")
        seen["cancelled"], seen["failed"] = row(held).line, [row(failed).line, *row(failed).detail]
        done = generate("image.noise", size_px=64)
        seen["done"] = placed(done)
        until(lambda: not _row_of("fake.huge").available, "the bridge's word on what cannot run here")
        choose("fake.huge")
        layout = drawn(MAKE)
        seen["greyed"] = [layout.texts[1], " ".join(layout.texts[2:5]), "scenecast.generate" in layout.operators]
        layout = drawn(JOBS)
        seen["texts"], seen["buttons"] = layout.texts, sorted(set(layout.operators))
        seen["pictures"] = _pictures(done.key)
        for generator, preset in (("image.noise", "grey"), ("image.noise", "soft")):
            choose(generator, contrast=0.5)
            assert bpy.ops.scenecast.preset_save(preset=preset) == {"FINISHED"}
        choose("image.noise", contrast=2.0)
        assert bpy.ops.scenecast.preset_load(preset="grey") == {"FINISHED"}
        seen["preset"] = session().form.values["contrast"]
        assert bpy.ops.scenecast.preset_remove(preset="grey") == {"FINISHED"}
        seen["presets"] = session().presets.names("image.noise")
        assert bpy.ops.scenecast.parameters(key=done.key) == {"FINISHED"}
        seen["reopened"] = [panel().seed == str(done.seed), panel().seed_fixed, session().form.values["contrast"]]
        assert bpy.ops.scenecast.copy_error(key=failed.key) == {"FINISHED"}
        assert bpy.ops.scenecast.past_parameters(number=0) == {"FINISHED"}
        assert bpy.ops.scenecast.reset() == bpy.ops.scenecast.reroll() == {"FINISHED"}
        again = bpy.ops.scenecast.again_new_seed(key=done.key)
        seen["again"] = [list(again), placed(session().hub.runs[0]), session().hub.runs[0].seed != done.seed]
        assert bpy.ops.scenecast.place(key=done.key, target="image") == {"FINISHED"}
        pump(0.3)
        assert bpy.ops.scenecast.dismiss(key=failed.key) == bpy.ops.scenecast.clear() == {"FINISHED"}
        seen["cleared"] = len(session().hub.runs)
        installed.part("ui.draw").preferences(_layout(), installed.part("ui.session").settings())
        installed.part("ui.draw").synthetic(_layout(), installed.part("provenance").synthetic())
    return seen


def _pictures(key: str) -> list[Any]:
    """Whether a result has a picture, and what a preview of two rows becomes (icons have no number here)."""
    thumbnails = installed.part("ui.thumbnails")
    preview = installed.part("core.client_core").Preview(1, 2, "image/raw", b"\xff\x00\x00\x00\x00\xff")
    return [key in thumbnails._collection, thumbnails.pixels(preview).tolist()]


def _row_of(generator: str) -> Any:
    return next(one for one in session().hub.generators if one.id == generator)


def _layout() -> Any:
    from tests.blender_addon.cases.fake_layout import FakeLayout

    return FakeLayout()


def _sources() -> Any:
    inputs = panel().inputs
    return [type("Item", (), {"identifier": item[0]}) for item in installed.part("ui.rows").sources(inputs[0])
            ] if inputs else []  # fmt: skip


def troubles(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """The bridge killed in the middle of a job and started again; a full store; a generator's error; a bad input."""
    seen: dict[str, Any] = {}
    serving = Serving(inputs["python"], folder)
    installed.install(inputs["archive"])
    serving.start()
    connected()
    run = generate("fake.hold", until=str(folder / "go on"))
    until(lambda: run.state == "running", "the start")
    serving.kill()
    until(lambda: session().hub.state.status != "connected", "noticing that the bridge is gone")
    seen["while away"] = [row(run).line, bool(drawn(MAKE).texts)]
    waiting = generate("image.noise", size_px=64)
    pump(0.3)
    seen["asked while away"] = row(waiting).line
    serving.start()
    (folder / "go on").touch()
    seen["after"] = [placed(run), placed(waiting), run.seed == int(run.order.seed)]
    serving.stop()

    seen["full"] = _full_store(folder, inputs)
    panel().inputs.clear()
    return seen


def _full_store(folder: Path, inputs: dict[str, Any]) -> list[str]:
    with Serving(inputs["python"], folder / "small", "store_quota_bytes=20000"):
        bpy.ops.scenecast.reconnect()
        until(lambda: session().hub.state.status == "connected", "the small bridge")
        run = generate("image.noise", size_px=512)
        until(lambda: run.over, "the end")
        return [run.state, run.code, row(run).line, *row(run).detail]


def nowhere_to_keep(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """A file lies where the add-on's own folder should be: not even an administrator can write there."""
    inside = Path(bpy.utils.user_resource("EXTENSIONS")) / ".user" / "user_default"
    inside.mkdir(parents=True)
    (inside / "scenecast").write_bytes(b"")
    with Serving(inputs["python"], folder):
        installed.install(inputs["archive"])
        connected()
        shown = installed.part("ui.session").connection()
        made = placed(generate("image.noise", size_px=64))
        where = str(session().folder)
    return {"cause": shown.cause, "made": made, "where": where, "home": str(inside)}


def full_disk(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """A bridge whose disk is truly full in the middle of a job, and then has room for a smaller one."""
    installed.install(inputs["archive"])
    with Serving(inputs["python"], folder, disk_bytes=6_000_000):
        connected()
        large = generate("image.noise", size_px=2048)
        until(lambda: large.over, "the end")
        shown = row(large)
        small = generate("image.noise", size_px=64)
        kept = placed(small)
        drawn(JOBS)
        bpy.context.view_layer.update()
        mesh = generate("mesh.rock", triangles=500, texture_px=2048)
        until(lambda: mesh.over, "the end of a mesh")
        return {
            "large": [large.state, large.code, shown.line, *shown.detail],
            "buttons": list(shown.buttons),
            "small": kept,
            "mesh": [mesh.state, mesh.code],
            "connection": session().hub.state.status,
            "images": len(bpy.data.images),
        }


def inputs_from_the_scene(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """An object and an image of the scene become inputs."""
    seen: dict[str, Any] = {}
    with Serving(inputs["python"], folder):
        installed.install(inputs["archive"])
        connected()
        bpy.ops.mesh.primitive_monkey_add()
        choose("splats.from_mesh", count=1000)
        panel().inputs["mesh"].source = "active"
        assert bpy.ops.scenecast.generate() == {"FINISHED"}
        run = session().hub.runs[0]
        seen["splats"] = [run.state, placed(run), bool(run.order.inputs["mesh"].digest)]
        choose("splats.decimate")
        seen["cloud"] = [panel().inputs["cloud"].source, sorted(installed.part("ui.inputs").chosen())]
        assert bpy.ops.scenecast.generate() == {"FINISHED"}
        seen["fewer"] = placed(session().hub.runs[0])
        seen["offered first"] = {}
        for generator in ("mesh.bake", "splats.merge", "splats.from_photos"):
            choose(generator)
            seen["offered first"][generator] = [row.source for row in panel().inputs][:3]
        image = bpy.data.images.new("paint", 64, 64)
        image.pixels.foreach_set([0.2, 0.6, 0.4, 1.0] * 64 * 64)
        choose("fake.repaint")
        panel().inputs["picture"].source = "image"
        seen["without"] = session().form.hindrances(installed.part("ui.inputs").chosen())
        panel().inputs["picture"].image_name = "paint"
        assert bpy.ops.scenecast.generate() == {"FINISHED"}
        seen["repaint"] = placed(session().hub.runs[0])
        seen["captures"] = _captures(folder)
        seen["field"] = _field()
        folders = sorted(path.name for path in session().slot.inputs.iterdir()) if (
            session().slot.inputs.is_dir()) else []  # fmt: skip
        seen["left over"] = len(folders)
    return seen


def _captures(folder: Path) -> dict[str, Any]:
    """A folder of photographs, the scene photographed, that cancelled half way, and a folder that is not there."""
    photographs = folder / "photographs"
    photographs.mkdir()
    for number in range(3):
        (photographs / f"{number}.jpg").write_bytes(b"\xff\xd8\xff" + bytes(10_000_000))
    choose("fake.count")
    row_ = panel().inputs["photos"]
    seen: dict[str, Any] = {"offered": [item[0] for item in installed.part("ui.rows").sources(row_)]}
    row_.source, row_.folder = "folder", str(photographs) + "/"
    drawn(MAKE)
    assert bpy.ops.scenecast.generate() == {"FINISHED"}
    run = session().hub.runs[0]
    stages = _stages(run)
    seen["folder"] = [placed(run), run.notes, run.order.hint, sorted({stage.split(" ")[0] for stage in stages})]
    row_.source, row_.views, row_.size_px, row_.look = "around", 8, 64, "quick"
    bpy.context.scene.render.engine = "BLENDER_WORKBENCH"
    seen["drawn"] = any(text.startswith("Suzanne") for text in drawn(MAKE).texts)
    assert bpy.ops.scenecast.generate() == {"FINISHED"}
    run = session().hub.runs[0]
    stages = _stages(run)
    seen["around"] = [placed(run), run.notes, run.order.hint, any(stage.startswith("view 3 of 8") for stage in stages)]
    assert bpy.ops.scenecast.generate() == {"FINISHED"}
    run = session().hub.runs[0]
    until(lambda: run.stage.startswith("view 2"), "two views")
    assert bpy.ops.scenecast.cancel(key=run.key) == {"FINISHED"}
    pump(0.2)
    seen["cancelled"] = [row(run).line, len(session().taking)]
    row_.source, row_.folder = "folder", str(folder / "nowhere")
    try:
        bpy.ops.scenecast.generate()
    except RuntimeError as error:
        seen["nowhere"] = str(error).strip()
    return seen


def _field() -> dict[str, Any]:
    """A field is kept as an input; its view from the scene's camera lies behind the scene."""
    field = generate("fake.field")
    until(lambda: field.over, "the field")
    hub = session().hub
    whole = type(hub).generators
    type(hub).generators = property(lambda self: [one for one in whole.fget(self) if one.id != "field.render"])
    pump(0.2)
    shown = installed.part("core.panel_model").job_row(field, connected=True, steers=hub.steers(field))
    seen: dict[str, Any] = {"row": [shown.line, list(shown.buttons)], "drawn": drawn(JOBS).operators}
    camera = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    camera.location, camera.rotation_euler, camera.scale = (1, -5, 2), (math.pi / 2, 0, 0), (3, 3, 3)
    camera.data.angle = 0.8  # the picture is wide, so this is the horizontal angle
    bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = 400, 200
    bpy.context.scene.render.resolution_percentage = 50
    bpy.context.view_layer.update()
    assert bpy.ops.scenecast.view_field(key=field.key) == {"FINISHED"}
    view = hub.runs[0]
    seen["placed"] = [placed(view), view.notes, view.order.hint]
    camera.location = (2, -5, 2)
    bpy.context.view_layer.update()
    assert bpy.ops.scenecast.view_field(key=field.key) == {"FINISHED"}
    seen["moved"] = [placed(hub.runs[0]), hub.runs[0].notes]
    seen["behind"] = [[shown.image.name, list(shown.image.size)] for shown in camera.data.background_images]
    return seen


def _stages(run: Any) -> set[str]:
    """Everything that was said of a run until the bridge had it."""
    said = set()

    def sent() -> bool:
        said.add(run.stage)
        return run.state not in ("capturing", "sending")

    until(sent, "the sending")
    return said


def first_blender(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Ask for something long, save, and end without a word."""
    installed.install(inputs["archive"])
    connected()
    bpy.ops.wm.save_as_mainfile(filepath=inputs["scene"])
    pump(0.1)
    run = generate("fake.hold", until=str(folder / "go on"))
    until(lambda: run.state == "running", "the start")
    session().hub.save()
    return {"job": run.job_id}


def second_blender(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """The extension is there already; the job is picked up, and its result goes into the same file alone."""
    bpy.ops.preferences.addon_enable(module=installed.NAME)
    connected()
    (run,) = session().hub.runs
    (folder / "go on").touch()
    until(lambda: run.over, "the end")
    pump(0.3)
    before = [row(run).line, len(bpy.data.images), drawn(JOBS).texts[1]]
    bpy.ops.wm.open_mainfile(filepath=inputs["scene"])
    said = placed(run)
    bpy.ops.preferences.addon_disable(module=installed.NAME)
    bpy.ops.preferences.addon_enable(module=installed.NAME)
    connected()
    images = len(bpy.data.images)
    pump(0.5)
    return {"job": run.job_id, "elsewhere": before, "placed": said, "images": [images, len(bpy.data.images)],
            "runs": len(session().hub.runs)}  # fmt: skip
