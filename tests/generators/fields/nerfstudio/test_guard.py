"""A worker that is killed leaves nothing running, and a command that ends leaves no children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from generators.fields.nerfstudio.process import lines_of
from tests.generators.fields.nerfstudio.test_provider import alive

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
ROOT = Path(__file__).resolve().parents[4]
PARENT = """
import subprocess, sys, os, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
print("begun", flush=True)
"""
WORKER = """
import sys, pathlib
from generators.fields.nerfstudio.process import lines_of
for line in lines_of([sys.executable, "-c", sys.argv[1], sys.argv[2]], lambda: None, folder=pathlib.Path(".")):
    print(line, flush=True)
"""


def pids(path: Path) -> list[int]:
    while not path.exists() or len(path.read_text().split()) < 2:
        time.sleep(0.02)
    return [int(word) for word in path.read_text().split()]


def gone(numbers: list[int]) -> bool:
    until = time.monotonic() + 120
    while any(alive(pid) for pid in numbers) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(alive(pid) for pid in numbers)


def test_killing_the_worker_ends_the_whole_group(tmp_path: Path) -> None:
    told = tmp_path / "pids"
    waiting = PARENT + "import time\ntime.sleep(600)\n"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, waiting, str(told)], cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        numbers = pids(told)
        assert all(alive(pid) for pid in numbers)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert gone(numbers)


def test_what_a_finished_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    told = tmp_path / "pids"
    # the child would hold the pipe open; its end is what lets this loop end
    assert list(lines_of([sys.executable, "-c", PARENT, str(told)], lambda: None, folder=tmp_path)) == ["begun\n"]
    assert gone(pids(told))
