# SPDX-License-Identifier: GPL-3.0-or-later
"""The client that speaks to the bridge: copied into the built add-on, beside it in the source tree."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING or find_spec("..scenecast_client", __package__) is None:
    from python_client import Client, ConnectionState, Job, ScenecastError, folders
    from python_client.events import Preview
    from python_client.growing import GrowingCloud, Growth
    from python_client.live import LivePicture, LiveSession, live_camera
    from python_client.messages import AssetRow, Generator, Port, WatchedFile
    from python_client.replies import Reply
    from python_client.transfers import Delivery
    from python_client.uploads import Upload
else:
    from ..scenecast_client import Client, ConnectionState, Job, ScenecastError, folders
    from ..scenecast_client.events import Preview
    from ..scenecast_client.growing import GrowingCloud, Growth
    from ..scenecast_client.live import LivePicture, LiveSession, live_camera
    from ..scenecast_client.messages import AssetRow, Generator, Port, WatchedFile
    from ..scenecast_client.replies import Reply
    from ..scenecast_client.transfers import Delivery
    from ..scenecast_client.uploads import Upload

__all__ = [
    "AssetRow",
    "Client",
    "ConnectionState",
    "Delivery",
    "Generator",
    "GrowingCloud",
    "Growth",
    "Job",
    "LivePicture",
    "LiveSession",
    "Port",
    "Preview",
    "Reply",
    "ScenecastError",
    "Upload",
    "WatchedFile",
    "folders",
    "live_camera",
]
