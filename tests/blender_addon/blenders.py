"""The Blenders that tests run in, and how one case is run in one of them."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSIONS = {"4.2": "4.2.23", "4.5": "4.5.15", "5.0": "5.0.1"}
"""Series of Blender, and the release of its Python module that the tests are known to run with."""


@dataclass(frozen=True)
class Blender:
    """A Python that has Blender as its module `bpy`."""

    version: str
    """Series: `4.2`, `4.5` or `5.0`."""
    python: str

    def run(self, case: str, folder: Path, *, timeout_secs: float = 300.0, **inputs: Any) -> dict[str, Any]:
        """What the case returned. Raises AssertionError with all that it printed when it failed or took too long."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "inputs.json").write_text(json.dumps(inputs), "utf-8")
        command = [self.python, str(Path(__file__).parent / "in_blender.py"), case, str(folder)]
        resources = folder / "blender_user"
        resources.mkdir(exist_ok=True)
        environment = {**os.environ, "BLENDER_USER_RESOURCES": str(resources), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("PYTHONPATH", None)
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_secs
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{case} in Blender {self.version} took longer than {timeout_secs} s") from error
        if done.returncode:
            said = f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
            raise AssertionError(f"{case} in Blender {self.version} ended with {done.returncode}\n{said}")
        result: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
        return result


def variable(version: str) -> str:
    """Name of the environment variable that holds the path of the Python with that Blender."""
    return f"BLENDER_BPY_{version.replace('.', '_')}"


def found(version: str) -> Blender | str:
    """The Blender of that series, or a sentence that says how to get it."""
    python = os.environ.get(variable(version), "")
    if python and Path(python).exists():
        return Blender(version, python)
    why = f"{variable(version)} names no file: {python}" if python else f"{variable(version)} is not set"
    release = VERSIONS[version]
    return f"{why}; to run this, `python3.11 -m venv X && X/bin/pip install bpy=={release}` and set it to X/bin/python"
