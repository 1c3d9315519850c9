"""The bridge never loads torch, nor any generator's code: not when it is imported, not when it runs a job."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from generators.catalog import load

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "diffusers", "transformers", "av", "trimesh", "pxr", "OpenEXR", "PIL", "gsplat")


def loaded_by(program: str, folder: Path) -> list[str]:
    """Names of all modules in a fresh process after it has run `program`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCENECAST_RUNTIME_DIR": str(folder / "runtime")}
    ran = subprocess.run(
        [sys.executable, "-c", program + "\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True, text=True, env=environment, cwd=folder, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def heavy(modules: list[str]) -> set[str]:
    return {name for name in modules if name.split(".")[0] in HEAVY}


def running_generators(modules: list[str]) -> set[str]:
    """Those among `modules` that hold a generator's function, which only a worker may import."""
    functions = {spec.run.partition(":")[0] for spec in load().specs.values()}
    assert functions, "nothing is declared"
    return functions & set(modules)


def test_importing_every_module_of_the_bridge_loads_no_torch(tmp_path: Path) -> None:
    names = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "bridge").rglob("*.py")
        if path.stem != "__main__"
    )
    assert "bridge.jobs" in names and "bridge.app" in names
    modules = loaded_by("\n".join(f"import {name}" for name in names), tmp_path)
    assert set(names) <= set(modules)
    assert not heavy(modules)


def test_starting_a_bridge_and_running_a_job_loads_no_torch(tmp_path: Path) -> None:
    program = f"""
import asyncio
from pathlib import Path
from bridge.app import Bridge
from bridge.messages import JobFinished, JobSubmit
from bridge.settings import Settings
from bridge.supervisor import WorkerSettings

async def main():
    settings = Settings(data_dir={str(tmp_path / "data")!r}, port=0, grace_secs=0.0)
    workers = WorkerSettings(early=(), threads=1, spares=0)
    async with Bridge(settings, workers=workers, announce=False) as bridge:
        ended = asyncio.Event()
        told = []
        def hear(session, message, payload):
            told.append(message)
            if message.__struct_config__.tag in ("job.finished", "job.failed"):
                ended.set()
        bridge.jobs.listener = hear
        session, _, _ = bridge.jobs.open_session(client="t", host="python", session="")
        request = JobSubmit(request_id="r", generator="image.noise", params={{"size_px": 64}}, seed=1)
        bridge.jobs.submit(session, request)
        await asyncio.wait_for(ended.wait(), 60)
        assert isinstance(told[-1], JobFinished), told[-1]

asyncio.run(main())
"""
    modules = loaded_by(program, tmp_path)
    assert "bridge.app" in modules and "generators.catalog" in modules
    assert not heavy(modules)
    assert not running_generators(modules)
