"""Generators that only the panel's tests need: what they make tells what they were given."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

import numpy as np

from engines.assets import Capture, Image
from engines.kinds import Kind
from generators.events import Context, Event, GeneratorError, Note, Produced, Request
from generators.spec import GeneratorSpec, Params, Port


def count(request: Request, context: Context) -> Iterator[Event]:
    """A picture one pixel high and as wide as there are photographs in the capture."""
    capture = request.inputs["photos"]
    if not isinstance(capture, Capture):
        raise GeneratorError("expected a capture")
    with zipfile.ZipFile(capture.path) as archive:
        names = archive.namelist()
    photographs = [name for name in names if name.endswith((".png", ".jpg"))]
    yield Note(f"{len(photographs)} photographs, poses {'there' if 'transforms.json' in names else 'missing'}")
    yield Produced(Image(np.zeros((1, max(1, len(photographs)), 3), np.uint8), name="counted"))


COUNT = GeneratorSpec(
    id="fake.count",
    title="Fake that counts photographs",
    promise="Tells how many photographs it got.",
    gives=(Kind.IMAGE,),
    params=Params,
    takes=(Port(name="photos", kinds=(Kind.CAPTURE,)),),
    run="tests.blender_addon.fake_generators:count",
)
SPECS = (COUNT,)
