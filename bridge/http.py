"""The plain requests answered on the websocket's port: health and figures. No file is ever served here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from bridge import metrics

_SAFE_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'"),
)


@dataclass(frozen=True)
class Answer:
    """One plain response; the body is text, never HTML."""

    status: HTTPStatus
    body: str
    media_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = _SAFE_HEADERS


def answer(method: str, path: str, *, server: str, figures: Callable[[], Mapping[str, float]]) -> Answer:
    """Answer a request that the gate let in and that is no websocket upgrade."""
    route = path.partition("?")[0]
    if route not in ("/healthz", "/metrics"):
        return Answer(HTTPStatus.NOT_FOUND, "there is nothing here; clients connect to / by websocket\n")
    if method != "GET":
        more = (*_SAFE_HEADERS, ("Allow", "GET"))
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, f"expected GET, got {method[:20]}\n", headers=more)
    if route == "/healthz":
        body = json.dumps({"status": "ok", "server": server}) + "\n"
        return Answer(HTTPStatus.OK, body, "application/json; charset=utf-8")
    return Answer(HTTPStatus.OK, metrics.render(figures()), "text/plain; version=0.0.4; charset=utf-8")
