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
    undecoded: bool = False
    """Whether a film is to be handed over as its file: decoded, a minute of it takes ten gigabytes."""


class PreviewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Which previews are wanted."""

    size_px: int
    per_sec: float
    media_type: str


class GrowthOrder(msgspec.Struct, frozen=True, kw_only=True):
    """How the client wants to watch the cloud grow."""

    per_sec: float
    splats_max: int = 0
    sh_degree: int = 3


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
    scratch: str = ""
    """Folder of the job's own: what one attempt leaves there the next one finds; empty for one inside the spool."""
    growth: GrowthOrder | None = None
    finish: bool = False
    """Stop at the first chance and give what there is."""


class CancelOrder(_Message, tag="cancel"):
    """Give up that run at the next chance."""


class SteerOrder(_Message, tag="steer"):
    """Hold that run, let it go on, or have it stop here and give what it has."""

    action: Literal["pause", "resume", "finish"]


class LiveOrder(_Message, tag="live"):
    """Load a generator and answer frames until the pipe is closed; the process does nothing else from then on."""

    function: str
    """`module:function` of `Live.start`."""
    params_type: str
    params: dict[str, Any]
    seed: int
    device: str
    spool: str
    width_px: int
    height_px: int
    media_type: str
    alpha: bool
    bottom_up: bool
    memory: str
    """Path of the memory that both processes map; pictures come and go through it."""
    memory_bytes: int
    answers: list[int]
    """Where in it the places for answers begin."""
    answer_bytes: int
    inputs: dict[str, InputOrder] = {}


class CameraRow(msgspec.Struct, frozen=True, kw_only=True):
    """Whence a frame is seen; `bridge.messages.LiveCamera` says what the fields mean."""

    world_from_camera: list[float]
    fov_y_deg: float
    fov_x_deg: float = 0.0
    centre_x: float = 0.0
    centre_y: float = 0.0
    near_m: float = 0.1
    far_m: float = 1000.0
    height_m: float = 0.0


class PixelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One channel of a frame and where it lies in the memory."""

    channel: str
    offset: int
    size_bytes: int
    dtype: str
    space: str
    bottom_up: bool


class FrameOrder(_Message, tag="frame"):
    """Answer this frame; its pictures stay untouched until the next order."""

    frame: int
    width_px: int
    height_px: int
    params: dict[str, Any]
    camera: CameraRow | None = None
    pictures: list[PixelRow] = []


class NewerOrder(_Message, tag="newer"):
    """A newer frame than `frame` waits."""

    frame: int


class TakenOrder(_Message, tag="taken"):
    """The answer in that place has been read."""

    place: int


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


class Steered(_Message, tag="steered"):
    """The run has come to a halt at a safe place, or goes on from there."""

    paused: bool


class Grown(_Message, tag="grown"):
    """`events.Grown`, written to disk; the worker removes older versions by itself."""

    stream: str
    """Name of this run's versions."""
    version: int
    count: int
    sh_degree: int
    file: str
    final: bool = False
    """It is the asset that is produced next, bit for bit."""


class Produced(_Message, tag="produced"):
    """`events.Produced`, written to disk."""

    name: str
    folder: str
    draft: dict[str, Any]
    """An `engines.neutral.Draft` as plain values."""


class Loaded(_Message, tag="loaded"):
    """The live generator can answer frames."""

    notes: str = ""
    """What the artist should know as long as it runs."""


class Pictured(_Message, tag="pictured"):
    """An answer to a frame lies in the memory."""

    frame: int
    place: int
    """Number of its place."""
    size_bytes: int
    width_px: int
    height_px: int
    components: int
    rough: bool
    run_ms: float


class Framed(_Message, tag="framed"):
    """A frame is done with; the next one may be ordered."""

    frame: int
    fault: str = ""
    """Why it could not be answered, for the artist."""


class Ended(_Message, tag="ended"):
    """The run is over and nothing of it is left in the worker."""

    outcome: Literal["finished", "cancelled", "failed"]
    cause: Literal["", "told", "defect", "disk", "memory"] = ""
    """Why it failed: the generator told the artist, it has a defect, the disk is full, memory ran out."""
    message: str = ""
    remedy: str = ""
    tainted: bool = False
    """The process may be in a bad state and should not be used again."""


WorkerOrder = RunOrder | CancelOrder | SteerOrder | LiveOrder | FrameOrder | NewerOrder | TakenOrder
WorkerMessage = Ready | Progressed | Previewed | Noted | Steered | Grown | Produced | Ended | Loaded | Pictured | Framed

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
