"""The client under every Python that hosts bring: the whole path against the scripted bridge, warnings as errors."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
from vendored.scenecast import connect
from vendored.scenecast.testing import FakeBridge, Made
def script(message):
    yield Made("mesh", {"a.bin": bytes(5_000_000), "b.txt": b"b"})
chance = iter([3000, 200000, 900000])
with FakeBridge(script, cut_after=lambda: next(chance, 0)) as bridge:
    with connect(bridge.url, bridge.token, host="blender") as client:
        assert client.upload(bytes(700_000)).digest
        job = client.submit("test.echo", text="x")
        saved = job.result(120).save(sys.argv[2])
        assert pathlib.Path(saved[0]).stat().st_size == 5_000_000
        assert client.jobs()[0].state == "finished"
names = {name.partition(".")[0] for name in sys.modules}
assert not names & {"numpy", "asyncio", "msgpack", "msgspec", "websockets"}, names
print("fine", sys.version_info[:2])
"""


def interpreter(version: str) -> str | None:
    """A Python of that version: on the path, or among pyenv's."""
    found = shutil.which(f"python{version}")
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for path in [found, *map(str, pyenv)]:
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_whole_path_as_a_vendored_package(version: str, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no python{version} on this machine")
    package = tmp_path / "vendored" / "scenecast"
    shutil.copytree(ROOT / "python_client", package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "vendored" / "__init__.py").touch()
    command = [python, "-I", "-W", "error", "-c", SCRIPT, str(tmp_path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fine")
