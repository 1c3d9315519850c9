"""What the bridge and a worker say to each other, and how it is framed; importing this loads only msgspec.

A frame is a little-endian uint32 length and that many bytes of MessagePack. Only small things cross the pipe:
arrays go by file, through the worker's spool folder, and a preview is already encoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

MAX_FRAME_BYTES = 1 << 20
"""A longer announcement means that the stream is damaged."""
MAX_PREVIEW_BYTES = 900_000
"""Leaves room for the header inside a websocket frame of 1 MiB."""

_LENGTH = struct.Struct("<I")


class PipeDamaged(Exception):
    """The bytes on the pipe are not frames of this form."""


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One device that generators can run on."""

    name: str
    """As torch names it: `cpu`, `cuda:0`."""
    title: str = ""
    memory_bytes: int = 0

    @property
    def kind(self) -> str:
        """The device without its number; results are the same for one kind."""
        return self.name.partition(":")[0]


class InputOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Where an input's files lie; read-only."""

    manifest: str
    parts: dict[str, str]
    """Path by digest."""


class PreviewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Which previews are wanted."""

    size_px: int
    per_sec: float
    media_type: str


class _Message(msgspec.Struct, kw_only=True, tag_field="type"):
    run: int
    """Number of the run within the bridge's life; a late word about another run is ignored."""


class RunOrder(_Message, tag="run"):
    """Run one generator now."""

    function: str
    """`module:function`."""
    params_type: str
    """`module:Class` of the parameters."""
    params: dict[str, Any]
    seed: int
    device: str
    spool: str
    """Folder of this run's results; made by the worker where it is missing, emptied by the bridge, used again."""
    inputs: dict[str, InputOrder] = {}
    preview: PreviewOrder | None = None


class CancelOrder(_Message, tag="cancel"):
    """Give up that run at the next chance."""


class Ready(_Message, tag="ready"):
    """The worker has loaded what it loads early, and can take a run."""

    devices: list[DeviceRow]
    torch_version: str = ""


class Progressed(_Message, tag="progressed"):
    """`events.Progress`, at most ten a second."""

    fraction: float
    stage: str = ""


class Previewed(_Message, tag="previewed"):
    """`events.Preview`, encoded."""

    width_px: int
    height_px: int
    media_type: str
    data: bytes


class Noted(_Message, tag="noted"):
    """`events.Note`."""

    text: str


class Produced(_Message, tag="produced"):
    """`events.Produced`, written to disk."""

    name: str
    folder: str
    draft: dict[str, Any]
    """An `engines.neutral.Draft` as plain values."""


class Ended(_Message, tag="ended"):
    """The run is over and nothing of it is left in the worker."""

    outcome: Literal["finished", "cancelled", "failed"]
    cause: Literal["", "told", "defect", "disk", "memory"] = ""
    """Why it failed: the generator told the artist, it has a defect, the disk is full, memory ran out."""
    message: str = ""
    remedy: str = ""
    tainted: bool = False
    """The process may be in a bad state and should not be used again."""


WorkerOrder = RunOrder | CancelOrder
WorkerMessage = Ready | Progressed | Previewed | Noted | Produced | Ended

_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[WorkerOrder] = msgspec.msgpack.Decoder(WorkerOrder)
_messages: msgspec.msgpack.Decoder[WorkerMessage] = msgspec.msgpack.Decoder(WorkerMessage)


def frame(message: WorkerOrder | WorkerMessage) -> bytes:
    """One message as a frame. Raises `PipeDamaged` when it would be longer than a frame may be."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise PipeDamaged(f"a {type(message).__name__} of {len(body)} bytes is over the pipe's {MAX_FRAME_BYTES}")
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Cuts a stream of bytes back into frames, however it was chopped."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield every frame that `data` completes. Raises `PipeDamaged` at an impossible length."""
        held = self._held
        held += data
        start = 0
        try:
            while len(held) - start >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(held, start)
                if length > MAX_FRAME_BYTES:
                    raise PipeDamaged(f"a frame of {length} bytes is announced, the most is {MAX_FRAME_BYTES}")
                end = start + _LENGTH.size + length
                if len(held) < end:
                    break
                body = bytes(held[start + _LENGTH.size : end])
                start = end
                yield body
        finally:
            del held[:start]


def order_from(body: bytes) -> WorkerOrder:
    """Decode what the bridge said. Raises `PipeDamaged`."""
    try:
        return _orders.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PipeDamaged(f"the order cannot be read: {error}") from error


def message_from(body: bytes) -> WorkerMessage:
    """Decode what the worker said. Raises `PipeDamaged`."""
    try:
        return _messages.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PipeDamaged(f"the worker's message cannot be read: {error}") from error
