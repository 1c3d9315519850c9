"""Splats from words, as data; importing this loads nothing heavy."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engines.kinds import Kind
from generators.located import Located
from generators.spec import GeneratorSpec, Needs, Params

TEXT_TO_IMAGE = Located(
    setting="text_to_image_folder",
    what="the weights of a text-to-image model of the Stable Diffusion 1 or 2 family as diffusers keeps them in a "
    "folder (such as stable-diffusion-v1-5, about 5 GB, licence CreativeML Open RAIL-M)",
    cached="stable-diffusion-v1-5/stable-diffusion-v1-5",
)


class SplatsFromTextParams(Params):
    """The words, and how long and how closely they are followed."""

    prompt: Annotated[
        str,
        Meta(max_length=300, title="Prompt", description="One thing, such as “a wooden chair”",
             extra_json_schema={"ui": "text"}),
    ] = ""  # fmt: skip
    negative_prompt: Annotated[
        str,
        Meta(max_length=300, title="Not", description="What it must not look like", extra_json_schema={"ui": "text"}),
    ] = "blurry, low quality, cropped, out of frame"
    steps: Annotated[
        int,
        Meta(
            ge=1,
            le=20_000,
            title="Steps",
            description="Views that the model is asked about, one a step; on a processor each takes half a minute",
            extra_json_schema={"suggestions": [500, 1000, 3000]},
        ),
    ] = 1000
    guidance: Annotated[
        float,
        Meta(
            ge=1,
            le=200,
            title="Guidance",
            description="How closely the words are followed; far more is needed than for pictures, and colours suffer",
        ),
    ] = 100.0
    splats_max: Annotated[
        int,
        Meta(ge=100, le=500_000, title="Splats at most", extra_json_schema={"suggestions": [5000, 20_000, 50_000]}),
    ] = 10_000
    resolution_px: Annotated[
        int,
        Meta(
            ge=16,
            le=1024,
            title="Picture size",
            description="At which the cloud is drawn; the model is shown it at the size that it was trained with",
            extra_json_schema={"unit": "px", "suggestions": [128, 256, 512]},
        ),
    ] = 256


SPLATS_FROM_TEXT = GeneratorSpec(
    id="splats.from_text",
    title="Splats from words",
    promise="Makes a cloud of splats of a thing that is described in words, by asking a picture model from all sides.",
    gives=(Kind.SPLATS,),
    params=SplatsFromTextParams,
    needs=Needs(memory_gb=9.0, modules=("numba", "diffusers", "transformers"), located=(TEXT_TO_IMAGE,)),
    run="generators.radiance.splats_from_text:run",
    prepare="generators.radiance.warm:compile_kernels",
    timeout_secs=48 * 3600.0,
    silence_secs=1800.0,
    attempts=5,
    resumable=True,
    grows=True,
    steers=("pause", "finish"),
)
