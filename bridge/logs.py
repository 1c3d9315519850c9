"""Structured logs: one JSON object per line, or words on a terminal, with the job and session it is about; the token
never appears.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar
from typing import TextIO

session_id: ContextVar[str] = ContextVar("session_id", default="")
"""Set while a connection's frames are handled; every line logged then carries it."""

_PLAIN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Turns a record into one line; `extra` fields are kept, secrets are replaced."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secret for secret in secrets if secret)

    def format(self, record: logging.LogRecord) -> str:
        """Time (UTC, milliseconds), level, logger, message, extras, and the traceback if there is one."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if session_id.get():
            line["session"] = session_id.get()
        line.update({name: value for name, value in vars(record).items() if name not in _PLAIN and value != ""})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # Names of files need not be text; half a character would keep the whole line from being written.
        text = json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class Words(JsonLines):
    """The same for a person at a terminal: the time, what happened, and the extras."""

    def format(self, record: logging.LogRecord) -> str:
        """Local time, the level where it is more than information, message, `name=value`, and a traceback below."""
        line = {name: _shown(value) for name, value in json.loads(super().format(record)).items()}
        level = "" if line["level"] in ("info", "debug") else f"{line['level']}: "
        known = ("time", "level", "from", "message", "traceback")
        extras = "".join(f"  {name}={value}" for name, value in line.items() if name not in known)
        above = f"{level}{line['message']}{extras}".replace("\n", "\\n").replace("\t", "\\t")
        below = f"\n{line['traceback']}" if "traceback" in line else ""
        return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {above}{below}"


def _shown(value: object) -> str:
    """Text without what moves a terminal's cursor or colours it: clients send names, and names end up in messages."""
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode() for each in str(value)
    )


def configure(level: str, *, secrets: tuple[str, ...] = (), stream: TextIO | None = None) -> logging.Handler:
    """Send everything from `bridge` and the websocket library to the stream (stderr): as words where a person looks."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((Words if handler.stream.isatty() else JsonLines)(secrets))
    for name, lowest in (("bridge", level.upper()), ("generators", level.upper()), ("websockets", "WARNING")):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(lowest)
        logger.propagate = False
    return handler
