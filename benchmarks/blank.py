"""Generators that cost nothing, so that what is measured is the bridge's own; declaring loads nothing."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engines.kinds import Kind
from generators.spec import GeneratorSpec, Needs, Params


class BlankParams(Params):
    """Size of the picture; `channels` 3 or 4."""

    size_px: Annotated[int, Meta(ge=1, le=8192)] = 64
    channels: Annotated[int, Meta(ge=3, le=4)] = 3


BLANK = GeneratorSpec(
    id="image.blank",
    title="Blank",
    promise="A picture of noise that is made once and stamped with the seed.",
    gives=(Kind.IMAGE,),
    params=BlankParams,
    needs=Needs(memory_gb=0.1),
    run="benchmarks.noise:run",
)


class CloudParams(Params):
    """Number of splats and degree of their harmonics."""

    splats: Annotated[int, Meta(ge=1, le=10_000_000)] = 1_000_000
    sh_degree: Annotated[int, Meta(ge=0, le=3)] = 2


CLOUD = GeneratorSpec(
    id="splats.blank",
    title="Blank cloud",
    promise="A bumpy ball of splats of very different sizes.",
    gives=(Kind.SPLATS,),
    params=CloudParams,
    needs=Needs(memory_gb=2.0),
    run="benchmarks.noise:cloud",
)


class FieldParams(Params):
    """Vertices along a side."""

    side: Annotated[int, Meta(ge=8, le=512)] = 192


FIELD = GeneratorSpec(
    id="field.blank",
    title="Blank field",
    promise="A bumpy, mottled shell with a haze in it.",
    gives=(Kind.FIELD,),
    params=FieldParams,
    needs=Needs(memory_gb=2.0),
    run="benchmarks.noise:field",
)


class CrashParams(Params):
    """None."""


CRASH = GeneratorSpec(
    id="image.crash",
    title="Crash",
    promise="The end of the worker that runs it.",
    gives=(Kind.IMAGE,),
    params=CrashParams,
    needs=Needs(memory_gb=0.1),
    attempts=1,
    run="benchmarks.noise:crash",
)
