"""What a worker finds on this machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from generators.device import found_devices, ran_out_of_memory


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


class OutOfMemoryError(RuntimeError):
    """As torch names its own, wherever it keeps it."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
    ],
)
def test_memory_that_ran_out_is_known_in_all_its_words(error: Exception) -> None:
    assert ran_out_of_memory(error)


def test_other_errors_are_not_taken_for_it() -> None:
    assert not ran_out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not ran_out_of_memory(ValueError("out of memory"))


def test_what_torch_says_when_the_processor_s_memory_is_not_enough() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55)
    assert ran_out_of_memory(caught.value)


@pytest.mark.gpu
def test_what_torch_says_when_a_card_s_memory_is_not_enough() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**45, device="cuda")
    assert ran_out_of_memory(caught.value)
    assert float(torch.ones(4, device="cuda").sum()) == 4  # the device goes on


@pytest.mark.gpu
def test_a_gpu_comes_first_with_its_memory() -> None:
    if not pytest.importorskip("torch").cuda.is_available():
        pytest.skip("needs a CUDA device")
    rows = found_devices(with_torch=True)
    assert rows[0].kind == "cuda" and rows[0].memory_bytes > 1 << 30
