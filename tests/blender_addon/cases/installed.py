"""The built extension, installed and enabled in this Blender, and the hands that press its buttons."""

from __future__ import annotations

import importlib
import time
import warnings
from collections.abc import Callable
from typing import Any

import bpy

NAME = "bl_ext.user_default.scenecast"


def install(archive: str) -> None:
    """As an artist does it: from the zip, enabled at once."""
    warnings.filterwarnings("error", module=r"bl_ext\.user_default\.scenecast(\..*)?")
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    if NAME not in bpy.context.preferences.addons:
        raise RuntimeError("the extension was installed but is not enabled")


def part(name: str) -> Any:
    """A module of the installed extension."""
    return importlib.import_module(f"{NAME}.{name}")


def session() -> Any:
    return part("ui.session").current()


def pump(secs: float = 0.0) -> None:
    """What the timer does, for so long."""
    end = time.monotonic() + secs
    while True:
        if not part("ui.ticker").pump():
            time.sleep(0.005)
        if time.monotonic() >= end:
            return


def until(condition: Callable[[], object], what: str, secs: float = 120.0) -> None:
    """Turn after turn until it is so; says where everything stood when it never was."""
    end = time.monotonic() + secs
    while not condition():
        if time.monotonic() > end:
            hub = session().hub
            stood = [(run.order.generator, run.state, run.error, run.misplaced) for run in hub.runs]
            raise AssertionError(f"{what} did not happen in {secs} s; {hub.state}; {stood}")
        pump()


def connected() -> None:
    until(lambda: session().hub.state.status == "connected" and session().form.generator, "the connection")


def panel() -> Any:
    return bpy.context.window_manager.scenecast


def choose(generator: str, **values: Any) -> None:
    """Choose a generator and set its parameters in the panel's rows."""
    assert bpy.ops.scenecast.pick_generator(generator=generator) == {"FINISHED"}
    controls = {control.name: control for control in session().form.controls}
    for name, value in values.items():
        row, control = panel().controls[name], controls[name]
        if control.kind == "choice":
            value = [one.identifier for one in control.choices].index(value)
        row.used = True
        row["value"] = value


def generate(generator: str, **values: Any) -> Any:
    """Press the button; the run."""
    choose(generator, **values)
    assert bpy.ops.scenecast.generate() == {"FINISHED"}
    return session().hub.runs[0]


def placed(run: Any, secs: float = 120.0) -> str:
    """Wait until the run's results are in the scene; what the panel says then."""
    until(lambda: run.over and (run.state != "done" or len(run.landed) == len(run.assets) or run.misplaced),
          f"placing {run.order.generator}", secs)  # fmt: skip
    assert run.state == "done" and not run.misplaced, (run.state, run.error, run.misplaced)
    return str(row(run).line)


def row(run: Any) -> Any:
    """What the list says about a run."""
    hub = session().hub
    return part("core.panel_model").job_row(run, connected=hub.state.status == "connected")
