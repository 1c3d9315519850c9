"""Frames in, pictures out, the newest wins."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from bridge.messages.fields import MAX_INTEGER, Digest, Id, Lane, Message, Name, Natural, Part, Seed, Text, Values

Side = Annotated[int, Meta(ge=1, le=4096)]
Angle = Annotated[float, Meta(ge=0.0, le=179.0)]


class LiveCamera(Part):
    """Whence a frame is seen, in the neutral convention: right-handed, +Y up, metres."""

    world_from_camera: Annotated[list[float], Meta(min_length=16, max_length=16)]
    """4×4, row by row; the camera looks along its own -Z, its +Y is up in the picture."""
    fov_y_deg: Angle = 50.0
    """Angle between the picture's lower and upper edge; of no account when orthographic."""
    fov_x_deg: Angle = 0.0
    """Angle between its left and right edge; 0 for square pixels."""
    centre_x: float = 0.0
    """Where the line of sight meets the picture: 0 the middle, 1 the right edge."""
    centre_y: float = 0.0
    """0 the middle, 1 the upper edge."""
    near_m: float = 0.1
    far_m: float = 1000.0
    height_m: Annotated[float, Meta(ge=0.0)] = 0.0
    """Height of an orthographic picture; 0 for a perspective one."""


class LivePicture(Part):
    """One channel of a frame; its pixels lie in the frame's bytes, row by row, without gaps."""

    channel: Literal["colour", "depth", "normal"]
    offset: Natural
    size_bytes: Natural
    """Width × height × components × bytes of the dtype: colour has 3 or 4 components, depth 1, normal 3."""
    dtype: Literal["u1", "<f2", "<f4"] = "u1"
    space: Literal["", "srgb", "linear", "metres", "window", "world", "camera"] = ""
    """Colour: `srgb` (the default for u1) or `linear`. Depth along the line of sight: `metres` (the default; 0 or
    infinite where there is nothing) or `window`, as OpenGL's depth buffer has it, 0..1 between near and far.
    Normal: `world` (the default, neutral axes) or `camera`; as u1 it is 255 × (n + 1) / 2."""
    bottom_up: bool = False
    """True when the first row is the lowest, as OpenGL reads it."""


class LiveOpen(Message, tag="live.open"):
    """Opens a live session: frames in, pictures out, the newest wins; answered by `live.opened`.

    It belongs to the connection and ends with it.
    """

    request_id: Id
    generator: Id
    params: Values = {}
    inputs: Annotated[dict[Name, Digest], Meta(max_length=64)] = {}
    """Digests of assets, by port name."""
    seed: Seed | None = None
    width_px: Side = 512
    """The largest width a frame will have, and the answers' own where a frame names none."""
    height_px: Side = 512
    reply: Literal["image/raw", "image/jpeg"] = "image/raw"
    """`image/raw` is sRGB in 8 bits, row by row."""
    alpha: bool = False
    """True: raw answers have four components."""
    bottom_up: bool = False
    """True: the first row of a raw answer is the lowest."""


class LiveFrame(Message, tag="live.frame"):
    """The newest state of what the client sees; whatever of an older one has not been begun is forgotten.

    Parameters and camera that are not named stand as they were, and so do all pictures when none is named. The bytes
    of the pictures may come in several messages of the same `frame`, each with the `offset` at which the one before
    ended; the fields of the first count. With no pictures the payload is empty.
    """

    lane: ClassVar[Lane] = Lane.LIVE
    latest_by: ClassVar[str] = "live"
    payload: ClassVar[bool] = True
    live: Id
    frame: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    """Counts up; answers name it."""
    offset: Natural = 0
    size_bytes: Natural = 0
    """All bytes of the frame's pictures together."""
    width_px: Annotated[int, Meta(ge=0, le=4096)] = 0
    """0: as opened. All pictures of a frame have its size."""
    height_px: Annotated[int, Meta(ge=0, le=4096)] = 0
    params: Values = {}
    camera: LiveCamera | None = None
    pictures: Annotated[list[LivePicture], Meta(max_length=8)] = []


class LiveClose(Message, tag="live.close"):
    """Ends a live session; answered by `live.closed` when nothing of it runs any more."""

    live: Id


class LiveOpened(Message, tag="live.opened"):
    """The session is there; frames may be sent at once, and are answered when its state is `ready`."""

    request_id: Id
    live: Id
    per_sec: float = 60.0
    """Frames a second that are worked on at most."""
    frame_bytes: Natural = 0
    """Bytes the pictures of one frame may have together."""


class LiveImage(Message, tag="live.image"):
    """The answer to a frame. A large one comes in several messages, each with the `offset` it continues at."""

    lane: ClassVar[Lane] = Lane.LIVE
    latest_by: ClassVar[str] = "live"
    payload: ClassVar[bool] = True
    live: Id
    frame: Natural
    """The frame it shows; older ones that got no answer were replaced by it."""
    width_px: Natural
    height_px: Natural
    media_type: Name
    components: Natural = 3
    """Of a raw one."""
    offset: Natural = 0
    size_bytes: Natural = 0
    """All bytes of this answer together."""
    rough: bool = False
    """True: a better picture of the same frame follows, unless a newer frame comes first."""
    run_ms: float = 0.0
    """Time the generator took for it."""


class LiveState(Message, tag="live.state"):
    """How a live session stands."""

    live: Id
    stage: Literal["loading", "ready", "stalled", "restarted"]
    """`restarted`: its worker died for the reason in `text`, and a new one is being loaded; the newest frame is
    done again by itself."""
    text: Text = ""
    """Why it stands so; of `ready`, what the artist should know as long as it runs."""
    frame: Natural = 0
    """Frames up to this one will get no further answer."""


class LiveClosed(Message, tag="live.closed"):
    """The session is over and nothing of it runs any more."""

    live: Id
    code: Name = ""
    """Empty when the client asked for it."""
    reason: Text = ""
    remedy: Text = ""
