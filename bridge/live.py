"""All live sessions of the bridge, and the desk at which one connection opens, feeds and closes its own."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bridge import errors
from bridge.acceptance import input_kinds, said_to_client
from bridge.inputs import input_order
from bridge.live_session import LiveSession, Plan
from bridge.messages import BridgeMessage, LiveClose, LiveClosed, LiveFrame, LiveOpen, LiveOpened
from bridge.metrics import Counters
from bridge.store import Store
from bridge.supervisor import Supervisor
from generators.catalog import Catalog

log = logging.getLogger("bridge.live")

Tell = Callable[[BridgeMessage, bytes], None]


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """How much live work there may be."""

    sessions: int = 4
    per_client: int = 2
    per_sec: float = 60.0
    """Frames a second that one session's worker is given at most."""


class LiveRoom:
    """Every live session there is; each has a worker for itself and is bound to the connection that opened it."""

    def __init__(
        self, *, supervisor: Supervisor, catalog: Catalog, store: Store, counters: Counters,
        settings: LiveSettings | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings or LiveSettings()
        self.sessions: dict[str, LiveSession] = {}
        self._supervisor, self._catalog, self._store, self._counters = supervisor, catalog, store, counters

    def desk(self, tell: Tell) -> LiveDesk:
        """A place for one connection, which hears through `tell`."""
        return LiveDesk(self, tell)

    def stop(self) -> None:
        """The workers are gone: give back what is left of every session. Nobody hears of it."""
        for session in list(self.sessions.values()):
            session.bury()

    def figures(self) -> dict[str, float]:
        """Gauges for `/metrics`."""
        return {"live_sessions": float(len(self.sessions))}

    def open(self, request: LiveOpen, tell: Tell, on_over: Callable[[LiveSession], None]) -> LiveSession:
        """A session that was checked against the declaration and will ask for its worker in its `begin`.

        Raises the leaves of `RequestError`, and `TooManyLive`.
        """
        if len(self.sessions) >= self.settings.sessions:
            raise errors.TooManyLive(
                f"{self.settings.sessions} live sessions are open, and no more may",
                remedy="close one of them, or raise `live_sessions` in the settings",
            )
        plan = self._plan(request)

        def over(session: LiveSession) -> None:
            del self.sessions[session.plan.live_id]
            for digest in request.inputs.values():
                self._store.unpin(digest)
            on_over(session)

        try:
            session = LiveSession(
                plan, supervisor=self._supervisor, catalog=self._catalog, counters=self._counters, tell=tell,
                on_over=over,
            )  # fmt: skip
        except OSError as error:
            raise errors.LimitError(f"there is no memory for a live session: {error}") from error
        for digest in request.inputs.values():
            self._store.pin(digest)
        self.sessions[plan.live_id] = session
        self._counters.live_opened_total += 1
        log.info("live session opened", extra={"live": plan.live_id, "generator": plan.spec.id})
        return session

    def _plan(self, request: LiveOpen) -> Plan:
        if self._supervisor.trouble:
            raise errors.GeneratorUnavailable(self._supervisor.trouble, path="$.generator")
        with said_to_client():
            spec, live = self._catalog.live_spec(request.generator)
            self._catalog.check_available(spec.id, self._supervisor.devices)
            params = msgspec.to_builtins(self._catalog.check(spec.id, request.params))
            self._catalog.check_inputs(spec.id, input_kinds(request.inputs, self._store))
        live_id = f"l{secrets.token_hex(6)}"
        return Plan(
            live_id=live_id, spec=spec, live=live, request=request, params=params,
            inputs={port: input_order(self._store, digest) for port, digest in request.inputs.items()},
            seed=secrets.randbits(32) if request.seed is None else request.seed, per_sec=self.settings.per_sec,
            spool=self._store.root / "spool" / live_id,
        )  # fmt: skip


class LiveDesk:
    """One connection's live sessions."""

    def __init__(self, room: LiveRoom, tell: Tell) -> None:
        self._room = room
        self._tell = tell
        self._mine: dict[str, LiveSession] = {}
        self._known: set[str] = set()
        """Every session this connection ever had: frames on their way when one ended are no mistake."""

    def open(self, request: LiveOpen) -> LiveOpened:
        """Answer `live.open`. Raises `TooManyLive` and the leaves of `RequestError`."""
        most = self._room.settings.per_client
        if len(self._mine) >= most:
            raise errors.TooManyLive(
                f"this client has {most} live sessions, and no more may be",
                remedy="close one of them, or raise `live_per_client` in the settings",
            )
        session = self._room.open(request, self._tell, self._over)
        live_id = session.plan.live_id
        self._mine[live_id] = session
        self._known.add(live_id)
        asyncio.get_running_loop().call_soon(session.begin)  # after the client has been told of it
        return LiveOpened(
            request_id=request.request_id, live=live_id, per_sec=session.plan.per_sec, frame_bytes=session.frame_bytes
        )

    def feed(self, message: LiveFrame, payload: memoryview) -> None:
        """Take a frame; the payload is copied. Raises `UnknownLive`, `BadPicture`, `BadParameter`."""
        session = self._mine.get(message.live)
        if session is not None:
            session.feed(message, payload)
        elif message.live not in self._known:
            raise errors.UnknownLive(f"there is no live session {message.live}", path="$.live")

    def close(self, request: LiveClose) -> LiveClosed | None:
        """Begin to end a session; the answer when there is nothing to wait for. Raises `UnknownLive`."""
        session = self._mine.get(request.live)
        if session is not None:
            session.close()
            return None
        if request.live not in self._known:
            raise errors.UnknownLive(f"there is no live session {request.live}", path="$.live")
        return LiveClosed(live=request.live)

    def leave(self) -> None:
        """The connection is gone, and its sessions end with it."""
        for session in list(self._mine.values()):
            session.mute()
            session.close()

    def _over(self, session: LiveSession) -> None:
        del self._mine[session.plan.live_id]
