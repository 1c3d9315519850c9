"""The Scenecast client: standard library only, no threads, Python 3.9 and newer.

from python_client import connect

with connect() as scenecast:
    job = scenecast.submit("material.procedural", prompt="wet mossy red bricks", size_px=1024, host="unreal")
    for event in job:
        print(event)
    job.result().save("out")
    splats = scenecast.submit("splats.from_photos", inputs={"photos": "folder/of/photographs"}, host="blender")
"""

from __future__ import annotations

from .client import Client, connect
from .connection import ConnectionState
from .errors import (
    BridgeNotFound,
    ConnectionFailed,
    ConnectionLost,
    HandshakeRefused,
    JobCancelled,
    JobFailed,
    Refused,
    ScenecastError,
    TransferFailed,
    Unreachable,
    WaitTimeout,
)
from .events import Cancelled, Event, Failed, Finished, Noted, Preview, Produced, Progress, Queued, Started
from .growing import GrowingCloud, Growth
from .jobs import Job
from .live import LivePicture, LiveSession, live_camera
from .posed import PosedCamera, PosedFrame, capture_zip
from .results import Asset, File, Result

__all__ = [
    "Asset",
    "BridgeNotFound",
    "Cancelled",
    "Client",
    "ConnectionFailed",
    "ConnectionLost",
    "ConnectionState",
    "Event",
    "Failed",
    "File",
    "Finished",
    "GrowingCloud",
    "Growth",
    "HandshakeRefused",
    "Job",
    "JobCancelled",
    "JobFailed",
    "LivePicture",
    "LiveSession",
    "Noted",
    "PosedCamera",
    "PosedFrame",
    "Preview",
    "Produced",
    "Progress",
    "Queued",
    "Refused",
    "Result",
    "ScenecastError",
    "Started",
    "TransferFailed",
    "Unreachable",
    "WaitTimeout",
    "capture_zip",
    "connect",
    "live_camera",
]
