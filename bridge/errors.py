"""Every error the bridge can tell a client, in one tree.

ScenecastError                     code
├── WireError                      wire.invalid       the bytes are not a message of this protocol
│   ├── MessageTooLarge            wire.too_large
│   └── ProtocolMismatch           wire.protocol      other protocol version, or the wrong order of messages
├── GateError                                         refused before the conversation begins
│   ├── WrongHost                  gate.host
│   ├── ForeignOrigin              gate.origin
│   └── BadToken                   gate.token
├── RequestError                   request.invalid    understood, but cannot be done as asked
│   ├── UnknownGenerator           request.generator
│   ├── GeneratorUnavailable       request.unavailable  a need is missing; the reason says which
│   ├── BadParameter               request.parameter
│   ├── BadInput                   request.input
│   ├── UnknownJob                 request.job
│   ├── UnknownAsset               request.asset
│   ├── UnknownLive                request.live       no such live session on this connection
│   ├── BadPicture                 request.picture    a live frame is not as large, or not of the kind, it says
│   ├── UnknownHost                request.host
│   ├── UnknownFormat              request.format
│   └── RequestReused              request.reused     the request_id stands for another request
├── LimitError                     limit              a quota is used up; says which and when it frees
│   ├── QueueFull                  limit.queue
│   ├── StoreFull                  limit.store
│   ├── TooManySessions            limit.sessions
│   └── TooManyLive                limit.live
├── RunError                                          the run itself went wrong
│   ├── GeneratorFailed            run.failed         the generator raised
│   ├── WorkerDied                 run.worker_died
│   └── TimedOut                   run.timeout
├── StoreDamaged                   store.damaged      bytes on disk no longer hash to their name
└── InternalError                  internal           a defect of ours; the log holds the rest
"""

from __future__ import annotations

from typing import ClassVar


class ScenecastError(Exception):
    """Something that is told to a client: what was expected, what came, what to do."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, path: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        """Where in the request, as `$.params.size_px`; empty when it concerns the whole."""
        self.remedy = remedy
        """What the person can do, as a sentence; empty when nothing can be done."""


class WireError(ScenecastError):
    """The bytes are not a message of this protocol."""

    code = "wire.invalid"


class MessageTooLarge(WireError):
    """A frame, string or collection is over its limit."""

    code = "wire.too_large"


class ProtocolMismatch(WireError):
    """Another protocol version, or a message out of order."""

    code = "wire.protocol"


class GateError(ScenecastError):
    """Refused before the conversation begins."""

    http_status: ClassVar[int] = 403


class WrongHost(GateError):
    """The Host header names another machine (DNS rebinding)."""

    code = "gate.host"
    http_status = 421


class ForeignOrigin(GateError):
    """A web page that is not on the list tries to connect."""

    code = "gate.origin"


class BadToken(GateError):
    """No token, or not ours."""

    code = "gate.token"
    http_status = 401


class RequestError(ScenecastError):
    """Understood, but it cannot be done as asked."""

    code = "request.invalid"


class UnknownGenerator(RequestError):
    """No generator of that id is declared."""

    code = "request.generator"


class GeneratorUnavailable(RequestError):
    """A need of the generator is missing on this machine."""

    code = "request.unavailable"


class BadParameter(RequestError):
    """A parameter is unknown, of the wrong type or out of range."""

    code = "request.parameter"


class BadInput(RequestError):
    """An input is missing, unknown or of the wrong kind."""

    code = "request.input"


class UnknownJob(RequestError):
    """No such job, or not this client's."""

    code = "request.job"


class UnknownAsset(RequestError):
    """No such asset in the store."""

    code = "request.asset"


class UnknownLive(RequestError):
    """No such live session on this connection."""

    code = "request.live"


class BadPicture(RequestError):
    """A frame of a live session is not as large, or not of the kind, that it says."""

    code = "request.picture"


class UnknownHost(RequestError):
    """No row describes that host."""

    code = "request.host"


class UnknownFormat(RequestError):
    """That format is not written for that kind of asset."""

    code = "request.format"


class RequestReused(RequestError):
    """The request_id was used before for something else."""

    code = "request.reused"


class LimitError(ScenecastError):
    """A quota is used up."""

    code = "limit"


class QueueFull(LimitError):
    """This client has as many jobs waiting as it may."""

    code = "limit.queue"


class StoreFull(LimitError):
    """The disk or the store's quota is full."""

    code = "limit.store"


class TooManySessions(LimitError):
    """As many clients are connected as may be."""

    code = "limit.sessions"


class TooManyLive(LimitError):
    """As many live sessions are open as may be."""

    code = "limit.live"


class RunError(ScenecastError):
    """The run itself went wrong."""

    code = "run.failed"


class GeneratorFailed(RunError):
    """The generator raised."""


class WorkerDied(RunError):
    """The process that ran the generator is gone."""

    code = "run.worker_died"


class TimedOut(RunError):
    """The run took longer, or was silent longer, than its generator declares."""

    code = "run.timeout"


class StoreDamaged(ScenecastError):
    """Bytes on disk no longer hash to their name."""

    code = "store.damaged"


class InternalError(ScenecastError):
    """A defect of ours."""
