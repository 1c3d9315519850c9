"""Preparing: every reference once, a failure told and the others done; little is left for later to compile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generators import catalog
from generators.prepare import prepare
from generators.runner import imported

_CALLS: list[str] = []


def good() -> None:
    _CALLS.append("good")


def bad() -> None:
    raise RuntimeError("nothing to compile with")


def test_each_is_called_once_and_a_failure_does_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    _CALLS.clear()
    assert prepare([f"{__name__}:bad", f"{__name__}:good", f"{__name__}:good"]) == 1
    assert _CALLS == ["good"]
    assert "nothing to compile with" in capsys.readouterr().err


def test_what_is_declared_can_be_imported() -> None:
    references = {spec.prepare for spec in catalog.load().specs.values() if spec.prepare}
    assert references
    for reference in references:
        assert callable(imported(reference))


_SECOND = """
from numba.core import event
compiled = []
class Listener(event.Listener):
    def on_start(self, one): compiled.append(one.data["dispatcher"].py_func)
    def on_end(self, one): pass
event.register("numba:compile", Listener())
from generators.radiance.warm import compile_kernels
compile_kernels()
print([f.__qualname__ for f in compiled if f.__module__.startswith("generators")])
"""


@pytest.mark.slow
def test_a_prepared_machine_compiles_nothing_of_ours(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for expected in (None, "[]"):
        done = subprocess.run(
            [sys.executable, "-c", _SECOND], env=environment, capture_output=True, text=True, timeout=600, check=True
        )
        assert expected is None or done.stdout.splitlines()[-1] == expected
