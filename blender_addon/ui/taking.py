# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes captures out of the scene, one render in a turn, and none while the artist is in the middle of something."""

from __future__ import annotations

import shutil
import traceback

from ..capture import Around, CaptureError
from ..core.runs import Run
from . import session

LEAST_PAUSE_TURNS = 2
"""Turns of Blender's own between two renders, so that the panel is drawn and Cancel can be pressed."""
_pause = 0


def step(one: session.Session) -> bool:
    """Take the next picture of the oldest capture in the making; True when one was taken."""
    global _pause
    if _pause:
        _pause -= 1
        return False
    for key, views in list(one.taking.items()):
        run = next((run for run in one.hub.runs if run.key == key), None)
        if run is None or run.over or run.order.file != one.file:
            _stop(one, key, run)
            continue
        _pause = LEAST_PAUSE_TURNS
        try:
            _next(one, key, views)
        except CaptureError as error:
            one.hub.not_captured(key, error.message, error.remedy or "Ask again.")
            _stop(one, key, run)
        except Exception as error:
            traceback.print_exc()
            one.hub.not_captured(key, f"a defect of the add-on: {type(error).__name__}: {error}", "See the console.")
            _stop(one, key, run)
        return True
    return False


def _next(one: session.Session, key: str, views: dict[str, Around]) -> None:
    unfinished = [around for around in views.values() if around.done < around.count]
    unfinished[0].step()
    done, count = (sum(getattr(around, name) for around in views.values()) for name in ("done", "count"))
    one.hub.capturing(key, done / count, f"view {done} of {count}, {unfinished[0].secs_each:.1f} s each")
    if done == count:
        del one.taking[key]
        one.hub.captured(key, {})


def _stop(one: session.Session, key: str, run: Run | None) -> None:
    """Nothing of it stays; another file is open, or the artist has cancelled it."""
    for around in one.taking.pop(key).values():
        shutil.rmtree(around.folder.parent, ignore_errors=True)
    if run is not None and not run.over:
        one.hub.not_captured(key, "Another file was opened while pictures were taken", "Ask again.")
