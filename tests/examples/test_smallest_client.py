"""The client from nothing, run as its reader would run it, against a real bridge."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.smallest_client import packed, unpacked
from python_client import msgpack

ROOT = Path(__file__).parents[2]
SECS = 120


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a user for whom a bridge runs."""
    (tmp_path / "run").mkdir(mode=0o700)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SCENECAST_")}
    home = {**kept, "SCENECAST_RUNTIME_DIR": str(tmp_path / "run"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "bridge", "--port", "0", "--json", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen([*command, "--set", "prepare=false"], env=home, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            yield home
        finally:
            process.terminate()
            process.wait(SECS)


def client(home: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "smallest_client.py"), *arguments]
    return subprocess.run(command, env=home, capture_output=True, text=True, timeout=SECS, check=False)


def test_it_gets_files_in_the_hosts_conventions(home: dict[str, str]) -> None:
    done = client(home, "wet mossy bricks", "unreal")
    assert done.returncode == 0, done.stderr
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert {"wet_mossy_bricks_orm.png", "wet_mossy_bricks_normal.png"} <= {path.name for path in paths}
    assert all(path.stat().st_size for path in paths)
    refused = client(home, "bricks", "maya")
    assert refused.returncode == 1 and "maya" in refused.stderr and "use one of" in refused.stderr


def test_without_a_bridge_it_says_what_to_do(tmp_path: Path) -> None:
    home = {**os.environ, "SCENECAST_RUNTIME_DIR": str(tmp_path)}
    done = client(home)
    assert done.returncode == 1 and "scenecast serve" in done.stderr


VALUES: list[object] = [
    None, True, 0, -1, 127, 128, -32, -33, 2**40, -(2**40), 0.5, "", "ü" * 40, "x" * 300, [], list(range(20)),
    {"a": {"b": [1, None]}, "c": "d" * 70_000}, {str(i): i for i in range(40)},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_its_messagepack_is_the_sdks(value: object) -> None:
    assert unpacked(msgpack.pack(value), 0)[0] == value
    assert msgpack.unpack(packed(value)) == value
