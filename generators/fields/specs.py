"""What this room can make, as data; importing this loads nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from engines.kinds import Kind
from generators.located import Located
from generators.spec import GeneratorSpec, Live, Needs, Params, Port

RESOLUTION = Meta(
    ge=64,
    le=4096,
    title="Picture size",
    description="Longest side of the photographs in training; more shows finer detail and takes longer",
    extra_json_schema={"unit": "px", "suggestions": [120, 240, 480]},
)
HOLD_OUT = Meta(
    ge=0,
    le=100,
    title="Hold out every n-th",
    description="Photographs kept from training to measure quality; 0 trains on all",
    extra_json_schema={"advanced": True},
)
PHOTOS = Port(
    name="photos",
    kinds=(Kind.CAPTURE, Kind.CLIP),
    help="A folder or zip of overlapping photographs, with camera poses if there are any, or a film",
)
FIELD = Port(name="field", kinds=(Kind.FIELD,), help="A radiance field, such as the result of field.from_photos")


class FieldFromPhotosParams(Params):
    """How long, how fine and how large."""

    resolution_px: Annotated[int, RESOLUTION] = 240
    iterations: Annotated[
        int,
        Meta(
            ge=40,
            le=20_000,
            title="Iterations",
            description="Steps of training; 400 for a preview, 800 for a finished field, more for large pictures",
            extra_json_schema={"suggestions": [400, 800, 1600]},
        ),
    ] = 800
    detail: Annotated[
        Literal["coarse", "medium", "fine"],
        Meta(
            title="Detail",
            description="How fine the finest lattice is: 128, 256 or 512 cells across; the last needs 3 GB of memory",
        ),
    ] = "fine"
    radius: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3.0,
            title="Reach of full detail",
            description="In distances of the cameras from what they look at; all beyond is kept ever more coarsely",
            extra_json_schema={"advanced": True, "step": 0.05},
        ),
    ] = 0.7
    gather: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            title="Gather",
            description="Draws mist together into surfaces; too much of it loses thin and glossy things",
            extra_json_schema={"advanced": True, "step": 0.01},
        ),
    ] = 0.06
    hold_out_every: Annotated[int, HOLD_OUT] = 0


class FieldRenderParams(Params):
    """One look at a field: where the camera stands around it, or exactly where."""

    width_px: Annotated[int, Meta(ge=16, le=4096, title="Width", extra_json_schema={"unit": "px"})] = 640
    height_px: Annotated[int, Meta(ge=16, le=4096, title="Height", extra_json_schema={"unit": "px"})] = 480
    fov_y_deg: Annotated[float, Meta(ge=5, le=120, title="Field of view", extra_json_schema={"unit": "deg"})] = 45.0
    azimuth_deg: Annotated[
        float, Meta(ge=-360, le=360, title="Around", extra_json_schema={"unit": "deg", "step": 1})
    ] = 0.0
    elevation_deg: Annotated[
        float, Meta(ge=-89, le=89, title="Above", extra_json_schema={"unit": "deg", "step": 1})
    ] = 10.0
    distance: Annotated[
        float, Meta(ge=0.05, le=20, title="Distance", description="From the middle, in radii of the field")
    ] = 1.4
    world_from_camera: Annotated[
        list[float],
        Meta(
            max_length=16,
            title="Camera matrix",
            description="16 numbers, row by row: a camera that looks along -Z with +Y up; in place of the orbit",
            extra_json_schema={"advanced": True},
        ),
    ] = []


class FieldOrbitParams(Params):
    """A camera's way around a field."""

    width_px: Annotated[int, Meta(ge=32, le=2048, title="Width", extra_json_schema={"unit": "px"})] = 480
    height_px: Annotated[int, Meta(ge=32, le=2048, title="Height", extra_json_schema={"unit": "px"})] = 360
    frames: Annotated[int, Meta(ge=2, le=2000, title="Frames")] = 96
    fps: Annotated[float, Meta(ge=1, le=120, title="Frames a second", extra_json_schema={"unit": "Hz"})] = 24.0
    fov_y_deg: Annotated[float, Meta(ge=5, le=120, title="Field of view", extra_json_schema={"unit": "deg"})] = 45.0
    azimuth_deg: Annotated[
        float, Meta(ge=-360, le=360, title="Middle of the way", extra_json_schema={"unit": "deg"})
    ] = 0.0
    sweep_deg: Annotated[
        float,
        Meta(
            ge=0,
            le=360,
            title="Sweep",
            description="360 goes all around; less swings to and fro, for scenes seen from one side",
            extra_json_schema={"unit": "deg"},
        ),
    ] = 60.0
    elevation_deg: Annotated[float, Meta(ge=-89, le=89, title="Above", extra_json_schema={"unit": "deg"})] = 10.0
    distance: Annotated[float, Meta(ge=0.05, le=20, title="Distance", description="In radii of the field")] = 1.4


class NerfstudioParams(Params):
    """Which of nerfstudio's methods, for how long, and what else it is to be told."""

    method: Annotated[
        Literal["splatfacto", "nerfacto"],
        Meta(title="Method", description="splatfacto trains splats; nerfacto a field, which comes back as points"),
    ] = "splatfacto"
    resolution_px: Annotated[int, RESOLUTION] = 960
    iterations: Annotated[
        int, Meta(ge=100, le=200_000, title="Iterations", extra_json_schema={"suggestions": [7000, 15_000, 30_000]})
    ] = 7000
    points: Annotated[
        int,
        Meta(ge=1000, le=5_000_000, title="Points", description="How many points to take from nerfacto's field"),
    ] = 500_000
    flags: Annotated[
        list[str],
        Meta(
            max_length=64,
            title="Further flags",
            description="Passed to ns-train, each as --name=value",
            extra_json_schema={"advanced": True},
        ),
    ] = []


NERFSTUDIO = Located(
    setting="nerfstudio_python",
    what="the Python of an environment of its own with nerfstudio 1.1 (3.5 GB, Apache-2.0)",
)


class ShapEParams(Params):
    """The words, and how much trouble is taken over them."""

    prompt: Annotated[
        str,
        Meta(max_length=300, title="Prompt", description="One thing, such as “a wooden chair”",
             extra_json_schema={"ui": "text"}),
    ] = ""  # fmt: skip
    steps: Annotated[
        int, Meta(ge=2, le=256, title="Steps", description="More steps, cleaner shapes", extra_json_schema={"step": 1})
    ] = 64
    guidance: Annotated[
        float, Meta(ge=1, le=30, title="Guidance", description="How closely the words are followed")
    ] = 15.0
    resolution: Annotated[
        int, Meta(ge=16, le=256, title="Resolution", description="Grid points along each side that are asked for")
    ] = 128


SHAP_E = Located(
    setting="shap_e_folder",
    what="the weights of Shap-E (openai/shap-e, about 2.6 GB, licence MIT) as diffusers keeps them in a folder",
    cached="openai/shap-e",
)
DIFFUSION = ("diffusers", "transformers")


class ViewFieldParams(Params):
    """How a field is shown while the camera rests."""

    step: Annotated[
        float,
        Meta(
            ge=0.2,
            le=2.0,
            title="Sample distance",
            description="In cells of the field; smaller is smoother and slower",
            extra_json_schema={"ui": "slider", "step": 0.1},
        ),
    ] = 0.5


FIELD_FROM_PHOTOS = GeneratorSpec(
    id="field.from_photos",
    title="Radiance field from photographs",
    promise="Turns photographs of a place or thing into a radiance field, which can be looked at from anywhere.",
    takes=(PHOTOS,),
    gives=(Kind.FIELD,),
    params=FieldFromPhotosParams,
    needs=Needs(memory_gb=3.0, modules=("numba",)),
    run="generators.fields.from_photos:run",
    prepare="generators.fields.warm:compile_kernels",
    attempts=5,
    timeout_secs=6 * 3600.0,
    silence_secs=900.0,
    resumable=True,
    steers=("pause", "finish"),
)
FIELD_RENDER = GeneratorSpec(
    id="field.render",
    title="View of a field",
    promise="Shows a radiance field as one camera sees it, with the depth of every pixel.",
    takes=(FIELD,),
    gives=(Kind.IMAGE,),
    params=FieldRenderParams,
    needs=Needs(memory_gb=1.5, modules=("numba",)),
    run="generators.fields.looking:render_view",
    prepare="generators.fields.warm:compile_kernels",
)
FIELD_ORBIT = GeneratorSpec(
    id="field.orbit",
    title="Flight around a field",
    promise="Films a radiance field with a camera that goes around it.",
    takes=(FIELD,),
    gives=(Kind.CLIP,),
    params=FieldOrbitParams,
    needs=Needs(memory_gb=2.0, modules=("numba",)),
    run="generators.fields.looking:render_orbit",
    prepare="generators.fields.warm:compile_kernels",
    steers=("pause",),
)

VIEW_FIELD = GeneratorSpec(
    id="view.field",
    title="Field, as it is",
    promise="Shows a radiance field truly rendered for your camera: roughly while it moves, in full when it rests.",
    takes=(FIELD,),
    gives=(),
    params=ViewFieldParams,
    needs=Needs(memory_gb=1.5, modules=("numba",)),
    live=Live(start="generators.fields.viewing:start", wants=("camera",), refines=True),
    prepare="generators.fields.warm:compile_kernels",
)

SPLATS_BY_NERFSTUDIO = GeneratorSpec(
    id="splats.from_photos_nerfstudio",
    title="Splats from photographs, by nerfstudio",
    promise="Has nerfstudio, installed on its own, make splats of photographs on the graphics card.",
    takes=(PHOTOS,),
    gives=(Kind.SPLATS,),
    params=NerfstudioParams,
    needs=Needs(memory_gb=4.0, gpu_memory_gb=6.0, located=(NERFSTUDIO,)),
    run="generators.fields.nerfstudio.provider:run",
    timeout_secs=12 * 3600.0,
    silence_secs=1800.0,
    attempts=2,
)

FIELD_FROM_TEXT = GeneratorSpec(
    id="field.from_text",
    title="Radiance field from words",
    promise="Makes a small radiance field of a thing that is described in words.",
    gives=(Kind.FIELD,),
    params=ShapEParams,
    needs=Needs(memory_gb=6.0, modules=DIFFUSION, located=(SHAP_E,)),
    run="generators.fields.shap_e:field_of_words",
    silence_secs=900.0,
)
MESH_FROM_TEXT = GeneratorSpec(
    id="mesh.from_text_shape",
    title="Shape from words",
    promise="Makes a coloured mesh of a thing that is described in words.",
    gives=(Kind.MESH,),
    params=ShapEParams,
    needs=Needs(memory_gb=6.0, modules=DIFFUSION, located=(SHAP_E,)),
    run="generators.fields.shap_e:mesh_of_words",
    silence_secs=900.0,
)

SPECS: tuple[GeneratorSpec, ...] = (
    FIELD_FROM_PHOTOS,
    FIELD_RENDER,
    FIELD_ORBIT,
    VIEW_FIELD,
    SPLATS_BY_NERFSTUDIO,
    FIELD_FROM_TEXT,
    MESH_FROM_TEXT,
)
