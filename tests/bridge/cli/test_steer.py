"""`scenecast pause | resume | finish` against a scripted bridge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bridge.cli import main
from python_client import connect
from python_client.testing import FakeBridge, Hold, Made, Step


def held(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Hold()
    yield Made("splats", {"a.bin": b"x"})


def said(bridge: FakeBridge, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main([*words, "--url", bridge.url, "--token", bridge.token])
    captured = capsys.readouterr()
    return code, " ".join((captured.out + captured.err).split())


def test_a_job_is_paused_resumed_and_finished(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBridge(held) as bridge, connect(bridge.url, bridge.token) as client:
        job = client.submit("test.cloud")
        client.drive(lambda: job.state == "running", 10, "the start")
        assert said(bridge, capsys, "pause", job.id) == (0, f"{job.id} is paused; `scenecast resume` lets it go on")
        assert "paused" in said(bridge, capsys, "jobs")[1]
        assert said(bridge, capsys, "resume", job.id) == (0, f"{job.id} goes on")
        assert said(bridge, capsys, "finish", job.id) == (0, f"{job.id} stops here and keeps what it has")
        bridge.release()
        client.drive(lambda: job.over, 10, "the end")
        code, words = said(bridge, capsys, "pause", job.id)
        assert code in (1, 2) and "over" in words


def test_a_job_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBridge(held) as bridge:
        code, words = said(bridge, capsys, "pause", "no-such-job")
        assert code == 2 and "there is no job" in words
