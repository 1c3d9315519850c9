"""Which devices torch can use here; the only place where a worker prepares torch."""

from __future__ import annotations

import os
import platform

from generators.pipe import DeviceRow

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")
"""What CUDA's runtime, the processor's allocator, cuBLAS, cuDNN and cuFFT say in a plain `RuntimeError`."""


def prepare_torch(threads: int) -> str:
    """Import torch and let it use `threads` cores (0 leaves its own choice); returns its version."""
    import torch

    if threads > 0:
        torch.set_num_threads(threads)
    return str(torch.__version__)


def found_devices(*, with_torch: bool) -> list[DeviceRow]:
    """The devices of this machine, GPUs first; only the processor when torch is not to be asked."""
    cpu = DeviceRow(name="cpu", title=_processor_name(), memory_bytes=_memory_bytes())
    if not with_torch:
        return [cpu]
    import torch

    rows: list[DeviceRow] = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            rows.append(
                DeviceRow(name=f"cuda:{index}", title=properties.name, memory_bytes=int(properties.total_memory))
            )
    return [*rows, cpu]


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch's own, or what an allocator or a library below it said."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


def _processor_name() -> str:
    return platform.processor() or platform.machine() or "processor"


def _memory_bytes() -> int:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0
