# SPDX-License-Identifier: GPL-3.0-or-later
"""What was taken from the scene to be an input of a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class CaptureError(Exception):
    """Something cannot be taken from the scene; says why in one sentence, and what to do instead."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}. {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class CapturedFile:
    """One file, ready to be uploaded; it belongs to the caller, who may delete it afterwards."""

    path: str
    kind: str
    """Kind of asset the bridge will take it for: `image` or `mesh`."""
    role: str
    """`colour`, `depth`, `normal`, `image` or `mesh`."""
    media_type: str
    name: str
    meta: dict[str, Any] = field(default_factory=dict)
    """`depth`: `near_m` and `far_m`. All camera pictures: `width_px`, `height_px`, `fov_y_deg` where perspective."""
