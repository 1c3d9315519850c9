"""The one place where an exception becomes a `refused` message."""

from __future__ import annotations

import logging

from bridge.errors import InternalError, ScenecastError
from bridge.messages import Refused

log = logging.getLogger(__name__)


def refusal(error: Exception, *, request_id: str = "", fatal: bool = False) -> Refused:
    """What the client is told of an error; a defect of ours is logged in full and told in general words."""
    if not isinstance(error, ScenecastError):
        log.error("unexpected %s", type(error).__name__, exc_info=error, extra={"request_id": request_id})
        error = InternalError(
            f"the bridge made a mistake ({type(error).__name__})",
            remedy="try again; if it happens again, report it with the bridge's log",
        )
    return Refused(
        code=type(error).code,
        message=_cut(error.message, 16384),
        path=_cut(error.path, 256),
        remedy=_cut(error.remedy, 16384),
        request_id=_cut(request_id, 128),
        fatal=fatal,
    )


def _cut(text: str, length: int) -> str:
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= length else f"{clean[: length - 1]}…"
