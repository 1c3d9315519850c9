from __future__ import annotations

from http import HTTPStatus

import pytest

from bridge.http import answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", HTTPStatus.OK),
        ("GET", "/healthz?x=1", HTTPStatus.OK),
        ("GET", "/metrics", HTTPStatus.OK),
        ("HEAD", "/metrics", HTTPStatus.METHOD_NOT_ALLOWED),
        ("DELETE", "/healthz", HTTPStatus.METHOD_NOT_ALLOWED),
        ("GET", "/", HTTPStatus.NOT_FOUND),
        ("GET", "/healthz/../metrics", HTTPStatus.NOT_FOUND),
        ("GET", "/assets/x.html", HTTPStatus.NOT_FOUND),
        ("POST", "/%2e%2e/", HTTPStatus.NOT_FOUND),
    ],
)
def test_two_routes_and_nothing_else(method: str, path: str, status: HTTPStatus) -> None:
    given = answer(method, path, server="s 1", figures=lambda: {"sessions": 1})
    assert given.status is status
    assert "html" not in given.media_type
    assert ("X-Content-Type-Options", "nosniff") in given.headers
    if status is HTTPStatus.NOT_FOUND:
        assert (
            given.body == answer("GET", "/anything", server="s 1", figures=dict).body
        )  # nothing of the path comes back
