"""Answers that are still on their way: kept by request id, asked for again after every reconnect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Generic, Optional, TypeVar

from .errors import ScenecastError

T = TypeVar("T")


class Reply(Generic[T]):
    """The answer to one request: `done`, then either `value` or `error`."""

    def __init__(self) -> None:
        self.done = False
        self.error: Optional[ScenecastError] = None
        self.partial: Optional[T] = None
        """What has come of the answer so far, where it comes in pieces."""
        self._value: Optional[T] = None
        self._then: list[Callable[[], None]] = []

    @property
    def value(self) -> T:
        """The answer. Raises its error, or `ScenecastError` when it is not there yet."""
        if self.error is not None:
            raise self.error
        if not self.done:
            raise ScenecastError("the answer is not there yet", remedy="Pump the client until `done`.")
        return self._value  # type: ignore[return-value]

    def then(self, call: Callable[[], None]) -> None:
        """Call this once the answer or error is there, at once if it is."""
        if self.done:
            call()
        else:
            self._then.append(call)

    def resolve(self, value: T) -> None:
        """Give the answer."""
        self._value = value
        self._end()

    def fail(self, error: ScenecastError) -> None:
        """Give the error instead."""
        self.error = error
        self._end()

    def _end(self) -> None:
        if self.done:
            return
        self.done = True
        waiting, self._then = self._then, []
        for call in waiting:
            call()


class Pending:
    """One request on its way: what was asked, and where the answer goes."""

    def __init__(self, message: Mapping[str, Any], reply: Reply[Any]) -> None:
        self.message = message
        self.reply = reply


class Requests:
    """All requests without an answer, in the order in which they were made."""

    def __init__(self) -> None:
        self._waiting: dict[str, Pending] = {}

    def add(self, request_id: str, message: Mapping[str, Any], reply: Reply[Any]) -> None:
        """Keep a request until it is answered."""
        self._waiting[request_id] = Pending(message, reply)

    def answered(self, request_id: str) -> Optional[Pending]:
        """Take out the request of that id; None when nobody waits for it."""
        return self._waiting.pop(request_id, None)

    def get(self, request_id: str) -> Optional[Pending]:
        """The request of that id, left in place."""
        return self._waiting.get(request_id)

    def messages(self) -> list[Mapping[str, Any]]:
        """What has to be said again on a new connection."""
        return [pending.message for pending in self._waiting.values()]

    def __len__(self) -> int:
        return len(self._waiting)
