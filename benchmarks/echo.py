"""A live generator that gives every frame back, so that what is measured is the bridge's own."""

from __future__ import annotations

from collections.abc import Iterator

from generators.events import Request
from generators.live.frames import Answer, Frame, LiveContext, Picture
from generators.spec import GeneratorSpec, Live, Needs, Params

ECHO = GeneratorSpec(
    id="live.echo",
    title="Echo",
    promise="Gives every frame back as it is.",
    gives=(),
    params=Params,
    needs=Needs(memory_gb=0.1),
    live=Live(start="benchmarks.echo:start", wants=("colour",)),
)


def start(request: Request, context: LiveContext) -> Answer:
    """Nothing has to be loaded."""

    def answer(frame: Frame) -> Iterator[Picture]:
        if frame.colour is not None:
            yield Picture(frame.colour)

    return answer
