"""Files written by the bridge's own code are found; those that others could have written are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from bridge import discovery as bridge_discovery
from python_client import BridgeNotFound, connect, discovery
from python_client.testing import FakeBridge


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    monkeypatch.setenv(discovery.RUNTIME_DIR_VARIABLE, str(path))
    return path


def announced(tmp_path: Path, **more: Any) -> bridge_discovery.Discovered:
    (tmp_path / "proof").write_text("nonce")
    values = {"url": "ws://127.0.0.1:7263", "port": 7263, "pid": os.getpid(), "token": "secret", "protocol": 1,
              "server": "scenecast 1", "store_root": str(tmp_path), "proof_path": str(tmp_path / "proof"),
              "started": 1.0, **more}  # fmt: skip
    return bridge_discovery.Discovered(**values)


def test_what_the_bridge_writes_is_read(folder: Path, tmp_path: Path) -> None:
    bridge_discovery.announce(announced(tmp_path, certificate_sha256="ab" * 32))
    found = discovery.find()
    assert (found.url, found.token, found.pid) == ("ws://127.0.0.1:7263", "secret", os.getpid())
    assert found.certificate_sha256 == "ab" * 32 and found.disk_proof() == "nonce"
    assert [one.url for one in bridge_discovery.find()] == [found.url]


def test_a_proof_that_cannot_be_read_means_no_shared_disk(folder: Path, tmp_path: Path) -> None:
    bridge_discovery.announce(announced(tmp_path, proof_path=str(tmp_path / "absent")))
    assert discovery.find().disk_proof() == ""


def test_the_folder_is_among_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(discovery.RUNTIME_DIR_VARIABLE, raising=False)
    private = tmp_path / "xdg"
    private.mkdir(mode=0o700)
    for given in (str(private), "relative/path", None):
        if given is None:
            monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        else:
            monkeypatch.setenv("XDG_RUNTIME_DIR", given)
        with pytest.MonkeyPatch.context() as quiet:
            quiet.setattr("warnings.warn", lambda *_, **__: None)
            theirs = platformdirs.user_runtime_dir("scenecast")
        assert theirs in discovery.runtime_dirs()


def test_the_newest_of_several_is_taken(folder: Path, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        try:
            bridge_discovery.announce(announced(tmp_path, started=5.0, url="ws://127.0.0.1:5", pid=other.pid))
            bridge_discovery.announce(announced(tmp_path, started=2.0))
            assert discovery.find().url == "ws://127.0.0.1:5"
        finally:
            other.kill()
    assert discovery.find().url == "ws://127.0.0.1:7263"


def test_files_of_the_dead_and_of_strangers_are_not_believed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BridgeNotFound, match="no bridge is running"):
        discovery.find()
    path = bridge_discovery.announce(announced(tmp_path))
    path.chmod(0o644)
    with pytest.raises(BridgeNotFound, match="others may read it"):
        discovery.find()
    path.chmod(0o600)
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "pid": 2**22 + 1}))
    with pytest.raises(BridgeNotFound, match="has ended"):
        discovery.find()
    path.write_text(json.dumps({**values, "url": 5}))
    with pytest.raises(BridgeNotFound, match=r"\$\.url"):
        discovery.find()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BridgeNotFound, match="bridge-"):
        discovery.find()


def test_connect_without_an_address(folder: Path, tmp_path: Path) -> None:
    with FakeBridge(token="secret") as bridge:
        bridge_discovery.announce(announced(tmp_path, url=bridge.url))
        with connect() as client:
            assert client.state.status == "connected"
            assert bridge.received[0]["disk_proof"] == "nonce"
        with connect(bridge.url, share_disk=False) as client:
            assert bridge.received[1]["disk_proof"] == ""
