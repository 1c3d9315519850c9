"""The scripted bridge's live sessions: every frame is answered by a function, and the script breaks them at will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

Say = Callable[[Mapping[str, Any], bytes], None]

GENERATOR: dict[str, Any] = {
    "id": "live.mirror",
    "title": "Mirror",
    "promise": "Gives every frame back with its colours inverted.",
    "gives": [],
    "params": {"type": "object", "properties": {"gain": {"type": "number", "default": 1.0}}},
    "jobs": False,
    "live": {"wants": ["colour"], "optional": ["depth", "camera"]},
}


@dataclass
class FakeFrame:
    """What the client shows, put together."""

    number: int
    width_px: int
    height_px: int
    params: dict[str, Any]
    camera: Optional[dict[str, Any]]
    pictures: dict[str, bytes]
    """Bytes by channel."""


Answer = Callable[[FakeFrame], Optional[bytes]]


def inverted(frame: FakeFrame) -> Optional[bytes]:
    """The default answer: the frame's colour inverted, three components a pixel; black when there is none."""
    count = frame.width_px * frame.height_px
    colour = frame.pictures.get("colour", bytes(3 * count))
    if len(colour) == 4 * count:
        whole = bytearray(3 * count)
        for lane in range(3):
            whole[lane::3] = colour[lane::4]
        colour = bytes(whole)
    return colour.translate(bytes(range(255, -1, -1)))


@dataclass
class _Session:
    id: str
    say: Say
    ask: dict[str, Any]
    params: dict[str, Any]
    camera: Optional[dict[str, Any]] = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    data: bytes = b""
    coming: dict[str, Any] = field(default_factory=dict)
    arrived: bytearray = field(default_factory=bytearray)


class FakeLive:
    """All live sessions of a scripted bridge; set `answer` to something that gives None to leave frames unanswered."""

    def __init__(self) -> None:
        self.answer: Answer = inverted
        self.refuse = ""
        """When set, `live.open` is refused in these words."""
        self.silent_close = False
        """True: a close is not acknowledged until `end`."""
        self.piece_bytes = 896 << 10
        self.frames: list[FakeFrame] = []
        """Every whole frame that came."""
        self.sessions: dict[str, _Session] = {}
        self._count = 0

    def hear(self, message: dict[str, Any], payload: bytes, say: Say) -> None:
        """Take one `live.…` message of a client."""
        kind = message["type"]
        if kind == "live.open":
            self._open(message, say)
            return
        session = self.sessions.get(message["live"])
        if session is None:
            say({"type": "refused", "code": "request.live", "message": "no such session",
                 "request_id": message["live"]}, b"")  # fmt: skip
        elif kind == "live.frame":
            self._frame(session, message, payload)
        elif not self.silent_close:
            self.end(session.id)

    def state(self, live: str, stage: str, text: str = "", frame: int = 0) -> None:
        """Tell the client how a session stands."""
        self.sessions[live].say({"type": "live.state", "live": live, "stage": stage, "text": text, "frame": frame}, b"")

    def end(self, live: str, code: str = "", reason: str = "", remedy: str = "") -> None:
        """End a session, asked for or not."""
        session = self.sessions.pop(live)
        session.say({"type": "live.closed", "live": live, "code": code, "reason": reason, "remedy": remedy}, b"")

    def show(self, live: str, frame: FakeFrame, data: bytes, *, rough: bool = False) -> None:
        """Send an answer."""
        session = self.sessions[live]
        jpeg = session.ask.get("reply") == "image/jpeg"
        components = 3
        if session.ask.get("alpha") and not jpeg:
            whole = bytearray(b"\xff" * (len(data) // 3 * 4))
            for lane in range(3):
                whole[lane::4] = data[lane::3]
            data, components = bytes(whole), 4
        head = {"type": "live.image", "live": live, "frame": frame.number, "width_px": frame.width_px,
                "height_px": frame.height_px, "media_type": "image/jpeg" if jpeg else "image/raw",
                "components": components, "size_bytes": len(data), "rough": rough, "run_ms": 1.0}  # fmt: skip
        for offset in range(0, len(data) or 1, self.piece_bytes):
            session.say({**head, "offset": offset}, data[offset : offset + self.piece_bytes])

    def _open(self, message: dict[str, Any], say: Say) -> None:
        if self.refuse:
            say({"type": "refused", "code": "request.generator", "message": self.refuse,
                 "request_id": message["request_id"]}, b"")  # fmt: skip
            return
        self._count += 1
        live = f"live-{self._count}"
        self.sessions[live] = _Session(live, say, message, dict(message.get("params", {})))
        say({"type": "live.opened", "request_id": message["request_id"], "live": live, "per_sec": 1000.0}, b"")
        self.state(live, "loading")
        self.state(live, "ready")

    def _frame(self, session: _Session, message: dict[str, Any], payload: bytes) -> None:
        if message.get("offset", 0) == 0:
            session.coming = message
            session.arrived.clear()
        session.arrived += payload
        first = session.coming
        if len(session.arrived) < first.get("size_bytes", 0):
            return
        session.params.update(first.get("params", {}))
        session.camera = first.get("camera") or session.camera
        if first.get("pictures"):
            session.rows, session.data = first["pictures"], bytes(session.arrived)
        width = first.get("width_px") or session.ask["width_px"]
        height = first.get("height_px") or session.ask["height_px"]
        pictures = {
            row["channel"]: session.data[row["offset"] : row["offset"] + row["size_bytes"]] for row in session.rows
        }
        frame = FakeFrame(first["frame"], width, height, dict(session.params), session.camera, pictures)
        self.frames.append(frame)
        data = self.answer(frame)
        if data is not None:
            self.show(session.id, frame, data)
