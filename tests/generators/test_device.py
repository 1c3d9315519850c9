"""What a worker finds on this machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from generators.device import found_devices


def test_without_torch_there_is_the_processor() -> None:
    (row,) = found_devices(with_torch=False)
    assert (row.name, row.kind) == ("cpu", "cpu") and row.memory_bytes > 1 << 28 and row.title


def test_with_torch_the_processor_comes_last() -> None:
    program = (
        "from generators.device import *; v = prepare_torch(1); import torch; rows = found_devices(with_torch=True);"
        "print(v == torch.__version__, torch.get_num_threads(), rows[-1].name, len(rows) - torch.cuda.device_count())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "1", "cpu", "1"]


@pytest.mark.gpu
def test_a_gpu_comes_first_with_its_memory() -> None:
    rows = found_devices(with_torch=True)
    assert rows[0].kind == "cuda" and rows[0].memory_bytes > 1 << 30
