"""What this room can make, as data; importing this loads nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from engines.kinds import Kind
from generators.radiance.capture_specs import CAPTURE_SPECS
from generators.radiance.text_specs import SPLATS_FROM_TEXT
from generators.spec import GeneratorSpec, Needs, Params, Port


class SplatsFromPhotosParams(Params):
    """How long, how large and how faithful."""

    resolution_px: Annotated[
        int,
        Meta(
            ge=96,
            le=4096,
            title="Picture size",
            description="Longest side of the photographs in training; more shows finer detail and takes longer",
            extra_json_schema={"unit": "px", "suggestions": [240, 480, 960]},
        ),
    ] = 480
    iterations: Annotated[
        int,
        Meta(
            ge=50,
            le=100_000,
            title="Iterations",
            description="Photographs looked at in all; about 1000 for a preview, 7000 for a finished cloud",
            extra_json_schema={"suggestions": [1000, 3000, 7000]},
        ),
    ] = 2000
    splats_max: Annotated[
        int, Meta(ge=500, le=5_000_000, title="Splats at most", description="Bounds memory and file size")
    ] = 60_000
    sh_degree: Annotated[
        int, Meta(ge=0, le=3, title="View dependence", description="Degree of the harmonics; 0 for matt scenes")
    ] = 2
    strategy: Annotated[
        Literal["mcmc", "default"],
        Meta(
            title="Growth",
            description="mcmc moves faded splats to where they are needed, default clones and splits",
            extra_json_schema={"advanced": True},
        ),
    ] = "mcmc"
    antialiased: Annotated[
        bool, Meta(title="Anti-aliasing", description="Keeps thin and far things steady when seen from other distances")
    ] = False
    exposure: Annotated[
        bool, Meta(title="Even out exposure", description="For photographs taken with automatic exposure")
    ] = False
    background: Annotated[
        Literal["auto", "black", "white", "random"],
        Meta(
            title="Background",
            description="auto leaves out what is transparent, or one even bright colour all around the subject, and "
            "nothing else; random leaves out what is transparent; black and white stand behind it",
        ),
    ] = "auto"
    depth_weight: Annotated[
        float,
        Meta(
            ge=0,
            le=10,
            title="Hold to depth",
            description="Keeps surfaces where depth pictures, or depth found between photographs, say; 0 is off",
            extra_json_schema={"advanced": True, "suggestions": [0.0, 0.1, 0.3]},
        ),
    ] = 0.0
    normal_weight: Annotated[
        float,
        Meta(
            ge=0,
            le=10,
            title="Smooth surfaces",
            description="Lays splats flat on surfaces without bumps, as meshes and relighting need them; 0 is off",
            extra_json_schema={"advanced": True, "suggestions": [0.0, 0.05, 0.2]},
        ),
    ] = 0.0
    hold_out_every: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            title="Hold out every n-th",
            description="Photographs kept from training to measure quality; 0 trains on all",
            extra_json_schema={"advanced": True},
        ),
    ] = 0


SPLATS_FROM_PHOTOS = GeneratorSpec(
    id="splats.from_photos",
    title="Splats from photographs",
    promise="Turns photographs or a film of a place or thing into a cloud of splats that looks like it from all sides.",
    takes=(
        Port(
            name="photos",
            kinds=(Kind.CAPTURE, Kind.CLIP),
            help="A folder or zip of overlapping photographs, with camera poses if there are any, or a film",
        ),
        Port(
            name="start",
            kinds=(Kind.SPLATS,),
            optional=True,
            help="A cloud to train further, such as an earlier result of the same photographs",
        ),
    ),
    gives=(Kind.SPLATS,),
    params=SplatsFromPhotosParams,
    needs=Needs(memory_gb=3.0, modules=("numba",)),
    run="generators.radiance.splats_from_photos:run",
    version=5,
    prepare="generators.radiance.warm:compile_kernels",
    attempts=5,
    timeout_secs=6 * 3600.0,
    silence_secs=900.0,
    resumable=True,
    grows=True,
    steers=("pause", "finish"),
)

SPECS = (SPLATS_FROM_PHOTOS, SPLATS_FROM_TEXT, *CAPTURE_SPECS)
