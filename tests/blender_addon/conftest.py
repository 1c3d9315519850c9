"""Blender in its three supported series, for every test that asks for `blender`; a hub at work for `desk`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from python_client import connection
from python_client.testing import FakeBridge
from tests.blender_addon.blenders import VERSIONS, Blender, found
from tests.blender_addon.desk import Desk, material


@pytest.fixture(params=VERSIONS)
def blender(request: pytest.FixtureRequest) -> Blender:
    """Each Blender in turn; skips where one is not to be had, saying how to get it."""
    one = found(request.param)
    if isinstance(one, str):
        pytest.skip(one)
    return one


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    """Makes a hub at a scripted bridge of its own, which retries quickly."""
    monkeypatch.setattr(connection, "BACKOFF_SECS", (0.005, 0.02))
    opened: list[tuple[Desk, FakeBridge]] = []

    def make(script: Any = material, *, bridge: Mapping[str, Any] | None = None, **options: Any) -> Desk:
        server = FakeBridge(script, **(bridge or {}))
        server.__enter__()
        one = Desk(tmp_path / "user", server, **options)
        opened.append((one, server))
        return one

    yield make
    for one, server in opened:
        one.hub.close()
        server.__exit__()
