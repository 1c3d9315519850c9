"""`splats.from_photos` as a worker of a test runs it: with a checkpoint every moment, so that seconds suffice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import msgspec

from generators.events import Event, Progress, Request, WatchedContext
from generators.radiance.specs import SPLATS_FROM_PHOTOS

HOLD = "SCENECAST_TEST_HOLD"
"""A variable that names a file; while that is there, training goes no further than nine tenths."""

SPEC = msgspec.structs.replace(
    SPLATS_FROM_PHOTOS, id="splats.quick", run="tests.generators.radiance.quick_checkpoints:run"
)


def run(request: Request, context: WatchedContext) -> Iterator[Event]:
    from generators.radiance import splats_from_photos

    splats_from_photos.CHECKPOINT_SECS = 0.2
    splats_from_photos.PREVIEW_SECS = 0.1
    for event in splats_from_photos.run(request, context):
        yield event
        while isinstance(event, Progress) and event.fraction >= 0.9 and os.path.exists(os.environ.get(HOLD, "")):
            time.sleep(0.01)
            context.check()
