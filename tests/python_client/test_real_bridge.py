"""The client and the real bridge: paths against chunks, and a bridge that is killed and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from python_client import Client, JobCancelled, Refused, connect, discovery


@contextmanager
def bridge(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real bridge over the data in the folder, found by the environment of the test."""
    command = [
        sys.executable,
        "-m",
        "bridge",
        "--port",
        "0",
        "--json",
        "--data-dir",
        str(folder / "data"),
        "--set",
        "prepare=false",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        output: IO[bytes] | None = process.stdout
        assert output is not None and output.readline()
        yield process
    finally:
        process.terminate()
        process.wait(120)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv(discovery.RUNTIME_DIR_VARIABLE, str(tmp_path / "run"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def test_chunks_and_paths_give_the_same_arrays(folder: Path) -> None:
    with bridge(folder), connect() as near, connect(share_disk=False) as far:
        assert near.protocol.welcome is not None and near.protocol.welcome.shares_disk
        job = far.submit("image.noise", size_px=1536, depth="float", seed=1, host="neutral")
        sent = job.result(120).array("pixels")
        assert sent.dtype == "<f4" and sent.shape[:2] == (1536, 1536)
        handed = near.fetch(job.assets[0]).array("pixels")
        np.testing.assert_array_equal(np.asarray(sent.data), np.asarray(handed.data))
        exported = far.fetch(job.assets[0], "unreal")
        [file] = exported.files
        assert file.view() == near.fetch(job.assets[0], "unreal").files[0].view()
        again = near.upload(file.read(), name="noise.png")
        assert again.kind == "image" and near.upload(file.read(), name="noise.png") == again
        grown = near.submit("material.from_exemplar", inputs={"exemplar": again}, size_px=256, host="web")
        assert grown.result(120)[0].kind == "material"
        near.rate(grown, 1)
        with pytest.raises(Refused, match="none of the formats"):
            near.upload(b"nothing that is known" * 1000, timeout_secs=120)
        with pytest.raises(Refused, match="64") as refused:
            near.submit("image.noise", size_px=9).result(120)
        assert refused.value.code == "request.parameter" and refused.value.path == "$.params.size_px"


def test_a_killed_bridge_is_found_again_and_nothing_is_lost(folder: Path) -> None:
    with Client() as client:
        with bridge(folder) as first:
            client.wait_connected(120)
            jobs = [client.submit("image.noise", size_px=64, seed=seed, host="python") for seed in range(12)]
            client.drive(lambda: jobs[2].over, 120, "the first jobs")
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            late = client.submit("image.noise", size_px=64, seed=99, host="python")
            client.drive(lambda: client.state.status == "waiting", 120, "noticing")
            assert client.state.cause
        with bridge(folder):
            end = time.monotonic() + 300
            while not all(job.over for job in (*jobs, late)):
                assert time.monotonic() < end, (client.state, jobs)
                client.pump(0.01)
                client.connection.wait(0.02)
            for job in (*jobs, late):
                assert job.result(120).files[0].read().startswith(b"\x89PNG")
                numbers = [event.seq for event in job.durable]
                assert numbers == sorted(set(numbers))
            rows = client.jobs(limit=200)
            assert len(rows) == 13 and {row.state for row in rows} == {"finished"}
            held = client.submit("mesh.terrain", grid=1024, texture_px=4096)
            client.drive(lambda: held.state == "running", 120, "the start")
            held.cancel()
            with pytest.raises(JobCancelled):
                held.result(120)
