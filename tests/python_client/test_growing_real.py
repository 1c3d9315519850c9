"""A growing cloud over a real socket: by path, in chunks, through a network that breaks, steered, to the last bit."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from python_client import Client, Growth, Job
from tests import fakes

SLOW = {"steps": 120, "step_secs": 0.02, "splats": 5000}


@contextmanager
def bridge(folder: Path) -> Iterator[dict[str, Any]]:
    folder.mkdir()
    command = [sys.executable, "-m", "tests.campaigns.fake_bridge", str(folder)]
    environment = {**os.environ, **fakes.ENVIRONMENT}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=fakes.ROOT) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(120)


class Breaking:
    """Passes a bridge's connections on, and breaks each after some bytes until `healed`."""

    def __init__(self, port: int, after_bytes: int) -> None:
        self._port, self._after, self.healed, self.broken = port, after_bytes, False, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._own = f"127.0.0.1:{self._listener.getsockname()[1]}".encode()
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                near, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._pass_on, args=(near,)))
                self._threads[-1].start()

    def _pass_on(self, near: socket.socket) -> None:
        left = self._after
        with near, socket.create_connection(("127.0.0.1", self._port)) as far, contextlib.suppress(OSError):
            while not self._stopped.is_set():
                for source in select.select([near, far], [], [], 0.05)[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is far:
                        left -= len(data)
                        near.sendall(data)
                    else:  # the bridge answers to its own address alone
                        far.sendall(data.replace(self._own, f"127.0.0.1:{self._port}".encode()))
                if left < 0 and not self.healed:
                    self.broken += 1
                    return

    def close(self) -> None:
        self._stopped.set()
        for thread in list(self._threads):
            thread.join(120)
        self._listener.close()


def is_the_asset(client: Client, job: Job) -> bool:
    assert job.cloud is not None and job.cloud.final
    asset = client.fetch(job.assets[0])
    names = ("positions", "rotations", "scales", "opacities", "sh")
    parts = [np.asarray(asset.array(name).data) for name in names]
    rows = np.concatenate([part.reshape(len(parts[0]), -1) for part in parts], 1)
    held = np.asarray(job.cloud.in_order())
    return held.shape == rows.shape and bool((held.view(np.uint32) == rows.view(np.uint32)).all())


def watched(client: Client, **params: Any) -> tuple[Job, list[tuple[int, int]]]:
    seen: list[tuple[int, int]] = []
    job = client.submit(
        "fake.grow", {**SLOW, **params}, growth=Growth(per_sec=20), seed=4,
        on_grown=lambda cloud: seen.append((cloud.version, cloud.changes)),
    )  # fmt: skip
    return job, seen


@pytest.mark.parametrize("shares_disk", [True, False])
def test_a_watched_cloud_ends_as_the_asset(tmp_path: Path, shares_disk: bool) -> None:
    with bridge(tmp_path / "bridge") as told:
        proof = (tmp_path / "bridge" / "store" / "proof").read_text("ascii").strip() if shares_disk else ""
        with Client(told["url"], told["token"], disk_proof=proof) as client:
            job, seen = watched(client)
            job.wait(120)
            client.drive(lambda: job.cloud is not None and job.cloud.final, 120, "the last version")
            assert is_the_asset(client, job) and job.growth_error is None
            assert len({version for version, _ in seen}) > 1 and seen == sorted(seen)
            again, _ = watched(client)
            again.wait(120)
            client.drive(lambda: again.cloud is not None and again.cloud.final, 120, "the reused cloud")
            assert again.reused and is_the_asset(client, again)


def test_a_network_that_breaks_costs_time_and_nothing_else(tmp_path: Path) -> None:
    with bridge(tmp_path / "bridge") as told:
        breaking = Breaking(int(told["url"].rpartition(":")[2]), after_bytes=700_000)
        with Client(breaking.url, told["token"]) as client:
            job, seen = watched(client, step_secs=0.03)
            client.drive(lambda: breaking.broken >= 3 or job.over, 120, "three breaks")
            breaking.healed = True
            job.wait(120)
            client.drive(lambda: job.cloud is not None and job.cloud.final, 120, "the last version")
            assert is_the_asset(client, job) and [version for version, _ in seen] == sorted(v for v, _ in seen)
        breaking.close()


def test_pausing_survives_a_new_program_and_its_cloud_goes_on(tmp_path: Path) -> None:
    with bridge(tmp_path / "bridge") as told:
        with Client(told["url"], told["token"]) as client:
            job, _ = watched(client, steps=100_000)
            client.drive(lambda: job.cloud is not None and job.cloud.version > 1, 120, "a version")
            job.pause()
            client.drive(lambda: job.steered == "paused", 120, "the pause")
            bookmark = json.loads(json.dumps(client.bookmark()))
        with Client(told["url"], told["token"], bookmark=bookmark) as client:
            [job] = [one for one in client.open_jobs if one.generator == "fake.grow"]
            client.drive(lambda: job.steered == "paused", 120, "being told of the pause")
            client.drive(lambda: job.cloud is not None and job.cloud.version > 1, 120, "the cloud so far")
            job.finish()
            job.wait(120)
            client.drive(lambda: job.cloud is not None and job.cloud.final, 120, "the last version")
            assert job.state == "finished" and is_the_asset(client, job)
            assert any("finished early" in note for note in job.notes)
