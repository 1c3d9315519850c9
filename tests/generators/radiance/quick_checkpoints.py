"""`splats.from_photos` as a worker of a test runs it: with a checkpoint every moment, so that seconds suffice."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from generators.events import Event, Request, WatchedContext
from generators.radiance.specs import SPLATS_FROM_PHOTOS

SPEC = msgspec.structs.replace(
    SPLATS_FROM_PHOTOS, id="splats.quick", run="tests.generators.radiance.quick_checkpoints:run"
)


def run(request: Request, context: WatchedContext) -> Iterator[Event]:
    from generators.radiance import splats_from_photos

    splats_from_photos.CHECKPOINT_SECS = 0.2
    splats_from_photos.PREVIEW_SECS = 0.1
    return splats_from_photos.run(request, context)
