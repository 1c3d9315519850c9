# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings clouds that are still growing into the scene, one version in a turn."""

from __future__ import annotations

import time

import numpy as np

from ..placement import growing
from . import session

KEPT = "The unfinished cloud stays in the scene; undo takes it away"


def step(one: session.Session) -> bool:
    """Show the newest version of one cloud that has any; True when something was done."""
    if session.settings().placing == "wait":
        return False
    if _settle(one):
        return True
    news = one.growing.news(one.hub.growing, one.file)
    if news is None:
        return False
    began = time.perf_counter()
    cloud = news.cloud
    rows = np.asarray(cloud.rows, np.float32).reshape(cloud.slots, cloud.stride)
    there = growing.show(news.making, rows, np.asarray(cloud.live, np.uint8), again=news.again)
    one.growing.shown(news, there=there, held_secs=time.perf_counter() - began)
    return False  # not at once again: the artist's hand comes first


def _settle(one: session.Session) -> bool:
    """Keep the clouds of runs that have ended without a result."""
    kept = False
    for run in one.growing.ended(one.hub.runs, one.file):
        if growing.keep_unfinished(run.job_id):
            one.hub.note(run.key, KEPT)
            kept = True
    return kept


def file_opened(one: session.Session) -> None:
    """Go on with the clouds that stand in the file, also where Blender ended before it had a name of its own."""
    one.growing.file_opened()
    for run in one.hub.runs:
        lost = run.order.file != one.file and run.order.file.startswith(session.UNSAVED)
        if lost and not run.landed and growing.mesh_of(run.job_id) is not None:
            one.hub.bring_here(run.key, one.file)
