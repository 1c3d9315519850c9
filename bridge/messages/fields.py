"""What every message is made of: limits, lanes, kinds of values, and the two bases.

The bounds stand here so that a frame is refused by its declaration; what msgspec cannot express (finite numbers,
integers within ±2^53, depth of free-form values) is checked by `bridge.wire`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

PROTOCOL = 1
SUBPROTOCOL = "scenecast.v1"
DEFAULT_PORT = 7263
MAX_FRAME_BYTES = 1 << 20
"""No websocket message is larger, in either direction."""
CHUNK_BYTES = 256 << 10
"""Payload of an asset or upload chunk; the last one of a file may be shorter."""
MAX_HEADER_BYTES = 256 << 10
MAX_INTEGER = 2**53 - 1
"""Beyond this a JavaScript number is no longer exact."""
MAX_DEPTH = 16
"""Nesting allowed inside free-form values."""


class Lane(StrEnum):
    """How a message queues for a session that reads slowly."""

    CONTROL = "control"
    """Never dropped, never behind the others."""
    LIVE = "live"
    """Only the newest per `latest_by` is kept."""
    ASSET = "asset"
    """Sent under credit, one chunk at a time."""


Natural = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Name = Annotated[str, Meta(max_length=256)]
Text = Annotated[str, Meta(max_length=16384)]
Id = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$(?!\n)")]
"""Made by either side; compared, never parsed."""
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
"""Lower-case hexadecimal SHA-256."""
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Values = Annotated[dict[Annotated[str, Meta(max_length=128)], Any], Meta(max_length=256)]
"""Free-form values by name; checked against the generator's declaration, not here."""
Formats = Annotated[dict[Name, Name], Meta(max_length=16)]
"""Format name by kind of asset, where the host's own preference is not wanted."""


class Message(msgspec.Struct, kw_only=True, tag_field="type"):
    """Base of all messages."""

    lane: ClassVar[Lane] = Lane.CONTROL
    latest_by: ClassVar[str] = ""
    """The field whose value names the slot in which a LIVE message replaces an older one."""
    payload: ClassVar[bool] = False
    """True when raw bytes follow the header."""


class Part(msgspec.Struct, kw_only=True):
    """Base of the structures inside messages."""
