"""What this room does with captures themselves, as data; importing this loads nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from engines.kinds import Kind
from generators.spec import GeneratorSpec, Needs, Params, Port


class CapturePosesParams(Params):
    """How carefully to look, and what is known of the place."""

    resolution_px: Annotated[
        int,
        Meta(
            ge=240,
            le=3200,
            title="Picture size",
            description="Longest side of the pictures that are compared; more helps where little texture is seen",
            extra_json_schema={"unit": "px", "suggestions": [640, 800, 1600]},
        ),
    ] = 800
    frames_max: Annotated[
        int,
        Meta(ge=8, le=600, title="Film frames at most", description="Sharp frames, well apart, taken from each film"),
    ] = 100
    lens: Annotated[
        Literal["usual", "fisheye"], Meta(title="Lens", description="fisheye for action cameras and beyond 120°")
    ] = "usual"
    camera_height_m: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            title="Camera height",
            description="How high the camera was held above the ground; gives true metres. 0 if not known",
            extra_json_schema={"unit": "m"},
        ),
    ] = 0.0
    first_to_last_m: Annotated[
        float,
        Meta(
            ge=0,
            le=10_000,
            title="First to last",
            description="Distance between where the first and the last photograph were taken. 0 if not known",
            extra_json_schema={"unit": "m"},
        ),
    ] = 0.0
    least_placed_percent: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            title="Placed at least",
            description="With a smaller share of the photographs placed, the job fails and says what was found",
            extra_json_schema={"unit": "%", "advanced": True},
        ),
    ] = 50
    mapper: Annotated[
        Literal["incremental", "global"],
        Meta(
            title="Method",
            description="incremental is surer; global may be quicker for many hundred photographs",
            extra_json_schema={"advanced": True},
        ),
    ] = "incremental"


CAPTURE_POSES = GeneratorSpec(
    id="capture.poses",
    title="Camera poses from photographs",
    promise="Finds from where each photograph or film frame was taken, sets the scene upright, and keeps the result.",
    takes=(
        Port(
            name="photos",
            kinds=(Kind.CAPTURE, Kind.CLIP),
            help="A folder or zip of overlapping photographs or films, or one film",
        ),
    ),
    gives=(Kind.CAPTURE,),
    params=CapturePosesParams,
    needs=Needs(memory_gb=2.0, modules=("pycolmap",)),
    run="generators.radiance.poses.capture_poses:run",
    version=2,
    timeout_secs=6 * 3600.0,
    silence_secs=1800.0,
)

CAPTURE_SPECS = (CAPTURE_POSES,)
