"""Memory that is used again: only what nobody can still see, and never kept for ever."""

from __future__ import annotations

import mmap

import pytest

from python_client import memory
from python_client.memory import LARGE_PAGE_BYTES, Memory, Pool, allocate

LARGE = 2 * LARGE_PAGE_BYTES
needs_large_pages = pytest.mark.skipif(
    not hasattr(mmap, "MADV_HUGEPAGE"), reason="memory is used again where there are large pages, on Linux"
)


def test_memory_is_writable_and_zero_whatever_its_size() -> None:
    for size in (0, 1, 4096, LARGE, LARGE + 1):
        memory = memoryview(allocate(size))[:size]
        assert len(memory) == size and not memory.readonly
        assert not any(bytes(memory[:4096])) and not any(bytes(memory[-4096:]))
        memory[:] = b"x" * size
        assert bytes(memory) == b"x" * size


def address(block: Memory) -> int:
    assert isinstance(block, mmap.mmap)
    return id(block)


@needs_large_pages
def test_memory_without_views_is_handed_out_again() -> None:
    pool = Pool()
    block = pool.take(LARGE)
    view = memoryview(block)
    first, part = address(block), view[5:9]
    del block
    assert address(pool.take(LARGE)) != first, "the whole is in use"
    view.release()
    assert address(pool.take(LARGE)) != first, "a part of it is in use"
    part.release()
    pool.clear()
    pool = Pool()
    block = pool.take(LARGE + 1)
    assert pool.take(LARGE) is block and pool.take(LARGE - 1) is block
    other = pool.take(3 * LARGE)
    assert other is not block, "too small"
    assert pool.take(LARGE) is not other, "much larger than what is asked for"


@needs_large_pages
def test_a_pool_knows_a_bounded_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES", 3 * LARGE)
    pool = Pool()
    views = [memoryview(pool.take(LARGE)) for _ in range(5)]
    assert pool.unused_bytes == 0
    for view in views:
        view.release()
    assert pool.unused_bytes == 3 * LARGE
    pool.take(4 * LARGE)
    assert pool.unused_bytes == 3 * LARGE, "what is too large to be kept displaces nothing"
    pool.clear()
    assert pool.unused_bytes == 0


@needs_large_pages
def test_memory_that_stays_unused_is_let_go() -> None:
    pool = Pool()
    pool.take(LARGE)
    pool.tidy()
    assert pool.unused_bytes == LARGE
    memoryview(pool.take(LARGE)).release()  # used in between
    pool.tidy()
    assert pool.unused_bytes == LARGE
    view = memoryview(pool.take(LARGE))
    pool.tidy()
    view.release()
    pool.tidy()
    assert pool.unused_bytes == LARGE, "it was in use when looked at last"
    pool.tidy()
    assert pool.unused_bytes == 0


def test_small_memory_is_always_new() -> None:
    pool = Pool()
    assert pool.take(4096) is not pool.take(4096)
    assert pool.unused_bytes == 0


@needs_large_pages
def test_a_system_that_cannot_tell_gives_new_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    pool.take(LARGE)
    assert pool.unused_bytes == LARGE

    class Stiff(mmap.mmap):
        def resize(self, size: int) -> None:
            raise SystemError("mmap: resizing not available--no mremap()")

    pool = Pool()
    monkeypatch.setattr(memory, "allocate", lambda size: Stiff(-1, size))
    block = pool.take(LARGE)
    assert pool.take(LARGE) is not block
