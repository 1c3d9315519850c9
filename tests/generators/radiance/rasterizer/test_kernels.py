"""What is known of a kernel before it runs: whether its machine code is in numba's cache on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import numpy as np
import sys
sys.path.insert(0, sys.argv[1])
import doubling
from generators.radiance.rasterizer.kernels import compiled_before
before = compiled_before(doubling.doubled)
out = np.zeros(8, np.float32)
if sys.argv[2] == "run":
    doubling.doubled(np.arange(8, dtype=np.float32), out)
    assert list(out) == [2 * value for value in range(8)]
print(before, compiled_before(doubling.doubled))
"""
SOURCE = """
from generators.radiance.rasterizer.kernels import parallel_kernel, prange

@parallel_kernel
def doubled(values, out):
    for index in prange(len(values)):
        out[index] = values[index] * 2
"""


def test_a_kernel_is_known_to_be_compiled_until_its_source_changes(tmp_path: Path) -> None:
    source = tmp_path / "doubling.py"
    source.write_text(SOURCE)

    def asked(what: str) -> str:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), what]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert asked("look") == "False False"
    assert asked("run") == "False True"
    assert asked("look") == "True True"
    later = source.stat().st_mtime + 100
    os.utime(source, (later, later))
    assert asked("look") == "False False"
