"""A live session as its client sees it: push what the artist sees, take the newest picture, never wait.

The newest wins in both directions. Of what is pushed and not yet sent only the newest is kept, with everything that an
older one changed; the same holds in the bridge. A session that lost its connection is opened again by itself, and the
newest frame is sent once more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import messages
from .errors import BadMessage, Refused, ScenecastError
from .frames import Bytes, encode
from .replies import Reply

if TYPE_CHECKING:
    from .jobs import Driver

Pixels = Any
"""Any contiguous buffer: bytes, a memoryview, an array, a host's own."""
PIECE_BYTES = 896 << 10
"""Most bytes of a frame that are sent in one message."""
WINDOW = 2
"""Frames under way without an answer, before further ones wait for their turn."""
IMPATIENT_SECS = 0.035
"""After so long a newer frame is sent even so, on the same machine: it takes the place of the one that waits."""
PATIENT_SECS = 2.0
"""The same over a network."""


@dataclass(frozen=True)
class LivePicture:
    """An answer: raw sRGB rows of `components` bytes a pixel, or a JPEG."""

    frame: int
    width_px: int
    height_px: int
    media_type: str
    components: int
    data: Bytes
    rough: bool
    """A better one of the same frame follows, unless a newer frame comes first."""
    run_ms: float
    """Time the generator took."""
    age_ms: float
    """From the push of the frame to this answer."""


@dataclass
class _Frame:
    """What is to be sent, or was sent last."""

    number: int
    pushed: float
    params: dict[str, Any]
    camera: Optional[Mapping[str, Any]]
    pictures: list[dict[str, Any]]
    data: bytes
    size: tuple[int, int]


class LiveSession:
    """Made by `Client.live`. Reading its attributes costs nothing; all but the `wait_…` return at once."""

    def __init__(
        self, lives: Lives, ask: Mapping[str, Any], *, on_image: Optional[Callable[[LivePicture], None]] = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:  # fmt: skip
        self._lives, self._ask, self._clock = lives, dict(ask), clock
        self.generator: str = ask["generator"]
        self.on_image = on_image
        """Called with every picture, from inside `pump`."""
        self.id = ""
        """The bridge's name for it; empty while it is not open."""
        self.state = "opening"
        """opening, loading, ready, stalled, restarted, lost (the connection is, and it will open again), closing, or
        closed."""
        self.text = ""
        """What the state means just now, for the artist."""
        self.error: Optional[ScenecastError] = None
        """Why it is closed, when nobody asked for that."""
        self.fault: Optional[ScenecastError] = None
        """Why the newest frame got no answer; None once one did."""
        self.image: Optional[LivePicture] = None
        """The newest picture."""
        self.per_sec = 60.0
        """The bridge works on no more frames a second."""
        self.pushed = self.sent = self.dropped = self.answered = 0
        """Frames so far: given to `push`; sent; replaced before they were sent; answered."""
        self._next: Optional[_Frame] = None
        self._last: Optional[_Frame] = None
        self._cut = 0  # bytes of the frame under way that have been sent; 0: none is under way
        self._fault_frame = 0
        self._sent_at = -math.inf
        self._under_way: dict[int, float] = {}  # frames that were sent, and when they were pushed
        self._coming = bytearray()
        self._taken = True
        self._flying: _Frame
        self._open_again()

    def __repr__(self) -> str:
        return f"<LiveSession {self.generator} {self.state} {self.answered}/{self.pushed}>"

    # ------------------------------------------------------------------------------ for hosts

    @property
    def over(self) -> bool:
        """True when it is closed."""
        return self.state == "closed"

    @property
    def wants_frame(self) -> bool:
        """Whether a frame pushed now would be sent at once: a host need not read its viewport otherwise."""
        return self.id != "" and self.state != "closing" and self._next is None and not self._cut and self._has_turn()

    def push(
        self,
        *,
        colour: Optional[Pixels] = None,
        depth: Optional[Pixels] = None,
        normal: Optional[Pixels] = None,
        camera: Optional[Mapping[str, Any]] = None,
        params: Optional[Mapping[str, Any]] = None,
        width_px: int = 0,
        height_px: int = 0,
        colour_dtype: str = "u1",
        depth_dtype: str = "<f4",
        normal_dtype: str = "u1",
        colour_space: str = "srgb",
        depth_space: str = "metres",
        normal_space: str = "world",
        bottom_up: bool = False,
    ) -> int:
        """Show what the artist sees now; returns the frame's number.

        What is left out stands as it was. Pictures are contiguous buffers of the given size (that of the session
        where none is given), copied before this returns; pictures that belong together go in one push. `camera` is
        a map of `LiveCamera`'s fields, see `live_camera`.
        """
        given = (
            ("colour", colour, colour_dtype, colour_space),
            ("depth", depth, depth_dtype, depth_space),
            ("normal", normal, normal_dtype, normal_space),
        )
        rows: list[dict[str, Any]] = []
        parts: list[Bytes] = []
        at = 0
        for channel, pixels, dtype, space in given:
            if pixels is None:
                continue
            data = memoryview(pixels).cast("B")
            row = {"channel": channel, "offset": at, "size_bytes": len(data), "dtype": dtype, "space": space}
            rows.append({**row, "bottom_up": bottom_up})
            padding = -len(data) % 4
            parts += [data, bytes(padding)]
            at += len(data) + padding
        self.pushed += 1
        frame = _Frame(
            self.pushed, self._clock(), dict(params or {}), camera, rows, b"".join(parts), (width_px, height_px)
        )
        if self._next is not None:
            _take_over(frame, self._next)
            self.dropped += 1
        self._ask["params"] = {**self._ask.get("params", {}), **frame.params}
        self._next = frame
        return frame.number

    def take_image(self) -> Optional[LivePicture]:
        """The newest picture, if it has not been taken yet."""
        if self._taken:
            return None
        self._taken = True
        return self.image

    def close(self) -> None:
        """Ask for its end; it is over when `state` says closed, and then nothing of it runs any more."""
        if self.state in ("closing", "closed"):
            return
        connected = self._lives.connected()
        self.state, self.text, self._next, self._cut = "closing", "", None, 0
        if self.id:
            self._lives.say({"type": "live.close", "live": self.id})
        elif not connected:
            self._end(None)

    def wait_until(self, condition: Callable[[LiveSession], bool], timeout_secs: Optional[float] = None) -> None:
        """Block until the condition holds or it is closed; raises its error, or `WaitTimeout`. Not for hosts."""
        self._lives.driver.drive(lambda: self.over or condition(self), timeout_secs, f"{self.generator}, live")
        if self.error is not None and not condition(self):
            raise self.error

    def answer_to(self, frame: int, timeout_secs: Optional[float] = None) -> LivePicture:
        """Block until that frame, or a newer one, has its final picture. Raises why there is none. Not for hosts."""

        def there(session: LiveSession) -> bool:
            image = session.image
            return failed() or (image is not None and image.frame >= frame and not image.rough)

        def failed() -> bool:
            return self.fault is not None and self._fault_frame >= frame

        self.wait_until(there, timeout_secs)
        if self.fault is not None and failed():
            raise self.fault
        if self.image is None:
            raise ScenecastError(f"{self.generator} was closed before it answered")
        return self.image

    # --------------------------------------------------------------------------- for the protocol

    def next_frame(self, *, local: bool) -> Optional[bytes]:
        """What is to be sent now: the newest frame, or a further piece of the one under way."""
        if not self.id or self.state == "closing":
            return None
        if not self._cut:
            if self._next is None or not self._has_turn(local):
                return None
            frame, self._next = self._next, None
            if self._last is not None:
                whole = _Frame(**vars(frame))
                _take_over(whole, self._last)
                self._last = whole
            else:
                self._last = frame
            return self._begin(frame)
        return self._piece()

    def lost(self) -> None:
        """The connection is gone, and the session with it; it is opened again on the next one."""
        self._under_way.clear()
        self._cut = 0
        if self.state == "closing":
            self._end(None)
        elif self.state != "closed" and self.id:
            self.id, self.state, self.text = "", "lost", "the connection is lost; it will be opened again"
            if self._last is not None:
                again = _Frame(**vars(self._last))
                again.number = self.pushed = self.pushed + 1
                if self._next is not None:
                    _take_over(self._next, again)
                    self._next.number = again.number
                else:
                    self._next = again
            self._last = None
            self._open_again()

    def told(self, message: messages.LiveState) -> None:
        """The bridge says how it stands."""
        if self.state not in ("closing", "closed"):
            self.state, self.text = message.stage, message.text
        self._settle(message.frame)

    def shown(self, message: messages.LiveImage, payload: memoryview) -> None:
        """A picture, or a piece of one. Raises `BadMessage` when the pieces do not join."""
        size = message.size_bytes or len(payload)
        if message.offset == 0:
            self._coming.clear()
        if message.offset != len(self._coming) or message.offset + len(payload) > size:
            raise BadMessage(f"bytes from {message.offset} follow {len(self._coming)} of {size}", path="$.offset")
        if len(payload) == size:
            data: Bytes = bytes(payload)
        else:
            self._coming += payload
            if len(self._coming) < size:
                return
            data, self._coming = self._coming, bytearray()
        pushed = self._under_way.get(message.frame)
        age_ms = 0.0 if pushed is None else 1000 * (self._clock() - pushed)
        self.image = LivePicture(
            message.frame, message.width_px, message.height_px, message.media_type, message.components, data,
            message.rough, message.run_ms, age_ms,
        )  # fmt: skip
        self._taken, self.fault = False, None
        self.answered += not message.rough
        self._settle(message.frame - message.rough)  # even a rough one says that older frames are done with
        if self.on_image is not None:
            self.on_image(self.image)

    def refused(self, error: Refused) -> None:
        """A frame could not be answered."""
        self.fault, self._fault_frame = error, self.sent
        self._settle(self.sent)

    def ended(self, message: messages.LiveClosed) -> None:
        """Nothing of it runs any more."""
        error = Refused(message.reason, code=message.code, remedy=message.remedy) if message.code else None
        self._end(error)

    # ------------------------------------------------------------------------------------ within

    def _open_again(self) -> None:
        reply: Reply[messages.LiveOpened] = Reply()
        request_id = self._lives.new_id()
        self._lives.request({"type": "live.open", "request_id": request_id, **self._ask}, reply)
        reply.then(lambda: self._opened(reply))

    def _opened(self, reply: Reply[messages.LiveOpened]) -> None:
        if reply.error is not None:
            self._end(reply.error)
            return
        self.id, self.per_sec = reply.value.live, reply.value.per_sec
        self._lives.open[self.id] = self
        if self.state in ("closing", "closed"):
            self.state = "closing"
            self._lives.say({"type": "live.close", "live": self.id})
        else:
            self.state, self.text = "loading", ""

    def _has_turn(self, local: bool = True) -> bool:
        if not self._under_way:
            return True
        waited = self._clock() - self._sent_at
        if waited < 1 / self.per_sec:
            return False
        quick = local and self.state == "ready"  # while it loads or stalls, newer frames only cost time
        return len(self._under_way) < WINDOW or waited > (IMPATIENT_SECS if quick else PATIENT_SECS)

    def _begin(self, frame: _Frame) -> bytes:
        message: dict[str, Any] = {"type": "live.frame", "live": self.id, "frame": frame.number,
                                   "size_bytes": len(frame.data), "pictures": frame.pictures}  # fmt: skip
        if frame.size[0]:
            message["width_px"], message["height_px"] = frame.size
        if frame.params:
            message["params"] = frame.params
        if frame.camera is not None:
            message["camera"] = dict(frame.camera)
        self._sent_at = self._clock()
        self._under_way[frame.number] = frame.pushed
        self.sent = frame.number
        self._flying = frame
        piece = memoryview(frame.data)[:PIECE_BYTES]
        self._cut = len(piece) if len(piece) < len(frame.data) else 0
        return encode(message, piece, announce=True)

    def _piece(self) -> bytes:
        frame, at = self._flying, self._cut
        piece = memoryview(frame.data)[at : at + PIECE_BYTES]
        self._cut = at + len(piece) if at + len(piece) < len(frame.data) else 0
        return encode({"type": "live.frame", "live": self.id, "frame": frame.number, "offset": at}, piece)

    def _settle(self, frame: int) -> None:
        for number in [number for number in self._under_way if number <= frame]:
            del self._under_way[number]

    def _end(self, error: Optional[ScenecastError]) -> None:
        self._lives.forget(self)
        self.id, self.state, self.error = "", "closed", error
        self.text = error.message if error else ""
        self._next = self._last = None
        self._cut = 0
        self._under_way.clear()


class Lives:
    """The live sessions of one client."""

    def __init__(
        self,
        driver: Driver,
        *,
        request: Callable[[Mapping[str, Any], Reply[Any]], None],
        new_id: Callable[[], str],
        say: Callable[[Mapping[str, Any]], None],
        connected: Callable[[], bool],
    ) -> None:
        self.driver, self.request, self.new_id, self.say, self.connected = driver, request, new_id, say, connected
        self.all: list[LiveSession] = []
        """Those that are not closed."""
        self.open: dict[str, LiveSession] = {}
        """Those that the bridge knows, by its name for them."""

    def start(self, ask: Mapping[str, Any], on_image: Optional[Callable[[LivePicture], None]] = None) -> LiveSession:
        """Open one; `ask` holds the fields of `live.open` but for its id."""
        session = LiveSession(self, ask, on_image=on_image)
        self.all.append(session)
        return session

    def forget(self, session: LiveSession) -> None:
        """It is closed."""
        self.open.pop(session.id, None)
        if session in self.all:
            self.all.remove(session)

    def lost(self) -> None:
        """The connection is gone."""
        self.open.clear()
        for session in list(self.all):
            session.lost()

    def next_frame(self, *, local: bool) -> Optional[bytes]:
        """The next frame to send, in turns."""
        for session in self.all:
            frame = session.next_frame(local=local)
            if frame is not None:
                self.all.remove(session)
                self.all.append(session)
                return frame
        return None

    def told(self, message: messages.LiveState) -> None:
        """How one stands."""
        if message.live in self.open:
            self.open[message.live].told(message)

    def shown(self, message: messages.LiveImage, payload: memoryview) -> None:
        """A picture of one."""
        if message.live in self.open:
            self.open[message.live].shown(message, payload)

    def ended(self, message: messages.LiveClosed) -> None:
        """One is over."""
        if message.live in self.open:
            self.open[message.live].ended(message)

    def refused(self, name: str, error: Refused) -> bool:
        """Whether a refusal was meant for one of them."""
        if name not in self.open:
            return False
        self.open[name].refused(error)
        return True


def _take_over(frame: _Frame, older: _Frame) -> None:
    """Let the frame stand for an older one that it replaces: what it does not change is as in the older."""
    frame.params = {**older.params, **frame.params}
    frame.camera = older.camera if frame.camera is None else frame.camera
    if not frame.pictures:
        frame.pictures, frame.data = older.pictures, older.data
        frame.size = frame.size if frame.size[0] else older.size


def live_camera(
    world_from_camera: Sequence[Sequence[float]], clip_from_camera: Sequence[Sequence[float]], *, z_up: bool = False
) -> dict[str, Any]:
    """The camera of a frame from two 4×4 matrices, as every host has them; rows of numbers, in metres.

    `clip_from_camera` is an OpenGL projection (a camera that looks along -Z, depth from -1 to 1). `z_up` says that
    the world's +Z is up, as in Blender. Raises `ScenecastError` for a projection that is neither perspective nor
    orthographic.
    """
    world = [[float(value) for value in row] for row in world_from_camera]
    if z_up:
        world = [world[0], world[2], [-value for value in world[1]], world[3]]
    clip = [[float(value) for value in row] for row in clip_from_camera]
    (x, _, skew_x, shift_x), (_, y, skew_y, shift_y), (_, _, a, b), (_, _, w, _) = clip
    if not (x > 0 and y > 0):
        raise ScenecastError("the projection mirrors or is flat; expected an OpenGL projection matrix")
    camera: dict[str, Any] = {"world_from_camera": [value for row in world for value in row]}
    if abs(w + 1) < 1e-6:
        camera.update(fov_y_deg=math.degrees(2 * math.atan(1 / y)), fov_x_deg=math.degrees(2 * math.atan(1 / x)))
        camera.update(near_m=b / (a - 1), far_m=b / (a + 1) if abs(a + 1) > 1e-9 else 1e9)
        camera.update(centre_x=-skew_x, centre_y=-skew_y)
    elif abs(w) < 1e-6:
        camera.update(height_m=2 / y, near_m=(b + 1) / a, far_m=(b - 1) / a)
        camera.update(centre_x=shift_x, centre_y=shift_y)
    else:
        raise ScenecastError("the projection is neither perspective nor orthographic")
    return camera
