from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bridge import discovery
from bridge.discovery import Discovered, DiscoveryError


def discovered(pid: int = 0, started: float = 1.0) -> Discovered:
    return Discovered(
        url="ws://127.0.0.1:1",
        port=1,
        pid=pid or os.getpid(),
        token="secret",
        protocol=1,
        server="scenecast",
        store_root="/s",
        proof_path="/s/proof",
        started=started,
    )


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_announced_privately_found_and_withdrawn(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    path = discovery.announce(discovered(), folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [path]
    assert discovery.find(folder) == [discovered()]
    discovery.withdraw(path)
    discovery.withdraw(path)
    assert discovery.find(folder) == []
    assert discovery.find(tmp_path / "nowhere") == []


def test_files_of_dead_bridges_are_not_found_and_are_removed(tmp_path: Path) -> None:
    stale = discovery.announce(discovered(dead_pid()), tmp_path / "run")
    assert discovery.find(tmp_path / "run") == []
    discovery.announce(discovered(), tmp_path / "run")
    assert not stale.exists()


def test_the_newest_comes_first(tmp_path: Path) -> None:
    discovery.announce(discovered(os.getppid(), started=2.0), tmp_path / "run")
    discovery.announce(discovered(os.getpid(), started=1.0), tmp_path / "run")
    assert [one.started for one in discovery.find(tmp_path / "run")] == [2.0, 1.0]


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_what_others_could_read_or_plant_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    path = discovery.announce(discovered(), folder)
    path.chmod(0o644)
    with pytest.raises(DiscoveryError, match="mode 644"):
        discovery.read(path)
    assert discovery.find(folder) == []
    path.chmod(0o600)
    link = folder / "bridge-1.json"
    link.symlink_to(path)
    with pytest.raises(OSError):
        discovery.read(link)
    folder.chmod(0o755)
    with pytest.raises(DiscoveryError):
        discovery.announce(discovered(), folder)


def test_a_folder_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "run").symlink_to(tmp_path / "real")
    with pytest.raises(DiscoveryError, match="link"):
        discovery.announce(discovered(), tmp_path / "run")


def test_unknown_fields_are_skipped_and_garbage_ignored(tmp_path: Path) -> None:
    path = discovery.announce(discovered(), tmp_path / "run")
    later = {**msgspec.to_builtins(discovered()), "added_later": 1}
    path.write_bytes(msgspec.json.encode(later))
    assert discovery.find(tmp_path / "run") == [discovered()]
    path.write_bytes(b"{")
    assert discovery.find(tmp_path / "run") == []


def test_the_environment_moves_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENECAST_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    assert discovery.runtime_dir() == tmp_path / "elsewhere"
