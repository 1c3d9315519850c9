"""`scenecast run` against a scripted bridge: what it says when things go wrong on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main
from python_client import client as client_module
from python_client.testing import FakeBridge, Hold, Made, Says, Step


def endless(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Hold()


def done(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Made("image", {"a.png": b"x"})


def doubtful(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Says("job.noted", {"text": "No known sound in “a dog barking”: made a click."})
    yield Made("image", {"a.png": b"x"})


def run(bridge: FakeBridge, out: Path) -> int:
    return main(["run", "test.echo", "--url", bridge.url, "--token", bridge.token, "--out", str(out), "-q"])


def test_a_bridge_that_goes_away_is_told_with_what_becomes_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(client_module, "GIVE_UP_ATTEMPTS", 2)
    bridge = FakeBridge(endless).__enter__()

    def end_it() -> None:
        while not bridge.jobs:
            time.sleep(0.01)
        bridge.__exit__(None, None, None)

    ending = threading.Thread(target=end_it)
    ending.start()
    assert run(bridge, tmp_path) == 1
    ending.join()
    words = " ".join(capsys.readouterr().err.split())
    assert "the bridge is gone" in words and "goes on when the bridge runs again" in words


def test_a_folder_that_vanishes_meanwhile_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("python_client.results.Result.save", full)
    with FakeBridge(done) as bridge:
        assert run(bridge, tmp_path) == 2
    words = " ".join(capsys.readouterr().err.split())
    assert "No space left on device" in words and "finds it without making it again" in words


def test_what_was_not_understood_is_told_even_to_the_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBridge(doubtful) as bridge:
        assert run(bridge, tmp_path) == 0
    said = capsys.readouterr()
    assert said.err.count("a dog barking") == 1 and "dog" not in said.out
