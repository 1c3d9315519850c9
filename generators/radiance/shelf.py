"""Room for more photographs than memory holds: arrays laid into a nameless file and mapped back from it.

The file vanishes with the process, however that ends. What was read of an array stays in memory until it is let go.
"""

from __future__ import annotations

import mmap
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from generators.radiance.archive import CaptureError

if TYPE_CHECKING:
    from generators.radiance.photographs import Photograph

HELD_BYTES = 1 << 30
"""So many bytes of photographs are held in memory; the others go to disk."""
T = TypeVar("T", bound=np.generic)


class DiskFull(CaptureError):
    """There is no room for the decoded photographs."""


class Shelf:
    """Holds the first `HELD_BYTES` of what it is given in memory, and the rest in a file in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Any = None
        self._held = 0
        self._memories: list[mmap.mmap] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take nothing more; what was kept can still be read."""
        if self._file is not None:
            self._file.close()

    def kept(self, photograph: Photograph) -> Photograph:
        """The same photograph, its pictures on disk when there are many. Raises `DiskFull`."""
        arrays = {name: getattr(photograph, name) for name in ("pixels", "alpha", "mask", "depth")}
        arrays = {name: array for name, array in arrays.items() if array is not None}
        size = sum(array.nbytes for array in arrays.values())
        with self._lock:
            if self._held + size <= HELD_BYTES:
                self._held += size
                return photograph
            laid: dict[str, Any] = {name: self._mapped(array) for name, array in arrays.items()}
            return replace(photograph, **laid)

    def array(self, array: NDArray[T]) -> NDArray[T]:
        """The same array, on disk when there is much already. Raises `DiskFull`."""
        with self._lock:
            if self._held + array.nbytes <= HELD_BYTES:
                self._held += array.nbytes
                return array
            return self._mapped(array)

    def let_go(self) -> None:
        """Free the memory behind everything that lies on disk."""
        for memory in self._memories:
            _free(memory)

    def _mapped(self, array: NDArray[T]) -> NDArray[T]:
        """A read-only copy of an array that lies in the file."""
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - open as long as the shelf
            start = -(-self._file.seek(0, 2) // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
            self._file.seek(start)
            self._file.write(np.ascontiguousarray(array).data)
            self._file.flush()
        except OSError as error:
            raise DiskFull(
                f"the decoded photographs do not fit on the disk ({error.strerror or error}); make room, or choose a "
                "smaller picture size"
            ) from error
        memory = mmap.mmap(self._file.fileno(), array.nbytes, access=mmap.ACCESS_READ, offset=start)
        self._memories.append(memory)
        return np.frombuffer(memory, array.dtype).reshape(array.shape)


def let_go(array: NDArray[Any]) -> None:
    """Free the memory behind an array if it lies on disk; it is read again when it is used again."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if isinstance(owner, mmap.mmap):
        _free(owner)


def _free(memory: mmap.mmap) -> None:
    if hasattr(memory, "madvise"):  # not on Windows, which trims by itself
        memory.madvise(mmap.MADV_DONTNEED)
