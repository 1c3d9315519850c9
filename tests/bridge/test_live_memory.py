"""Memory shared with a live worker: another process writes it, cannot cut it short, and it goes when it is closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.live_memory import LiveMemory

WRITE = """
import mmap, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
view = mmap.mmap(descriptor, int(sys.argv[2]))
assert view[8:13] == b"hello"
view[-5:] = b"world"
try:
    os.ftruncate(descriptor, 1)
except PermissionError:
    print("sealed")
else:
    print("cut")
"""


@pytest.mark.parametrize("named", [False, True])
def test_two_processes_see_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool) -> None:
    if named:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    memory = LiveMemory(tmp_path, frame_bytes=5000, answer_bytes=300)
    assert memory.frames == [0, 8192, 16384] and memory.answers == [24576, 28672] and memory.size_bytes == 32768
    memory.write(8, b"hello")
    if named and os.path.exists(memory.path):
        assert Path(memory.path).parent == tmp_path and os.stat(memory.path).st_mode & 0o777 == 0o600
        script = WRITE.replace("os.ftruncate(descriptor, 1)", "pass")
    else:
        script = WRITE
    command = [sys.executable, "-c", script, memory.path, str(memory.size_bytes)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert said == ("cut" if named else "sealed")
    assert memory.read(memory.size_bytes - 5, 5) == b"world"
    path = memory.path
    memory.close()
    assert not os.path.exists(path) and not list(tmp_path.iterdir())


def test_large_memory_costs_nothing_until_it_is_written(tmp_path: Path) -> None:
    before = Path("/proc/self/statm").read_text().split()[1] if Path("/proc/self/statm").exists() else "0"
    memory = LiveMemory(tmp_path, frame_bytes=64 << 20, answer_bytes=64 << 20)
    after = Path("/proc/self/statm").read_text().split()[1] if Path("/proc/self/statm").exists() else "0"
    assert (int(after) - int(before)) * 4096 < 16 << 20
    memory.close()


def test_no_memory_is_an_error_that_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(os, "ftruncate", full)
    with pytest.raises(OSError, match="No space"):
        LiveMemory(tmp_path, frame_bytes=1, answer_bytes=1)
    assert not list(tmp_path.iterdir())
