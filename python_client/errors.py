"""Every error of the client, in one tree; each message says what was expected, what came and what to do.

ScenecastError
├── ConnectionFailed        there is no conversation with a bridge
│   ├── BridgeNotFound      no running bridge announces itself to this user
│   ├── Unreachable         nothing answers at the address
│   ├── HandshakeRefused    something answered, but did not let us in
│   ├── WrongCertificate    the certificate is not the pinned one
│   └── ConnectionLost      it was there and is gone; the client tries again by itself
├── ProtocolError           bytes that the protocol does not allow
│   ├── BadFrame            against RFC 6455
│   └── BadMessage          against MessagePack or the message's declaration; `path` says where
├── Refused                 the bridge understood and said no; `code` is its wire code
├── TransferFailed          the bytes of a file did not arrive as announced
├── JobFailed               the run went wrong; `code` is its wire code
├── JobCancelled            the job was ended on request
└── WaitTimeout             a blocking call took longer than its `timeout_secs`
"""

from __future__ import annotations


class ScenecastError(Exception):
    """What was expected, what came, and in `remedy` what a person can do about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class ConnectionFailed(ScenecastError):
    """There is no conversation with a bridge."""


class BridgeNotFound(ConnectionFailed):
    """No running bridge announces itself to this user."""


class Unreachable(ConnectionFailed):
    """Nothing answers at the address."""


class HandshakeRefused(ConnectionFailed):
    """Something answered, but did not let us in; `status` is its HTTP status, 0 when it spoke no HTTP."""

    def __init__(self, message: str, *, status: int = 0, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


class WrongCertificate(ConnectionFailed):
    """The certificate shown is not the pinned one."""


class ConnectionLost(ConnectionFailed):
    """The connection was there and is gone; `code` is the websocket close code, 1006 when none was sent."""

    def __init__(self, message: str, *, code: int = 1006, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class ProtocolError(ScenecastError):
    """Bytes that the protocol does not allow."""


class BadFrame(ProtocolError):
    """Against RFC 6455; `close_code` is what the other side is told."""

    def __init__(self, message: str, *, close_code: int = 1002) -> None:
        super().__init__(message)
        self.close_code = close_code


class BadMessage(ProtocolError):
    """Against MessagePack or the message's declaration; `path` says where, as `$.files[0].size_bytes`."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(f"{message} - at {path}" if path else message)
        self.path = path


class Refused(ScenecastError):
    """The bridge understood and said no; `code` is its wire code, `path` the place in the request."""

    def __init__(self, message: str, *, code: str, path: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.path = path


class TransferFailed(ScenecastError):
    """The bytes of a file did not arrive as announced."""


class JobFailed(ScenecastError):
    """The run went wrong; `code` is its wire code."""

    def __init__(self, message: str, *, code: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class JobCancelled(ScenecastError):
    """The job was ended on request."""


class WaitTimeout(ScenecastError, TimeoutError):
    """A blocking call took longer than its `timeout_secs`; what it waited for goes on."""
