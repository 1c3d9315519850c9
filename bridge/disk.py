"""What is asked of the disk: the hash of a file, that it is really there, that it is ours alone, and its being full."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import StoreDamaged, StoreFull

INLINE_BYTES = 256 << 10
"""Files up to this size are hashed on the loop (0.15 ms); a thread would cost more than it saves."""
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
FULL_REMEDY = "free space on the disk, or remove unused results with `scenecast gc`"
_HASH_BLOCK_BYTES = 4 << 20


def hash_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size <= INLINE_BYTES:
            return hashlib.sha256(file.read()).hexdigest()
        block = memoryview(bytearray(_HASH_BLOCK_BYTES))
        while count := file.readinto(block):
            digest.update(block[:count])
    return digest.hexdigest()


def check_hash(path: Path, digest: str, what: str) -> None:
    """Raise `StoreDamaged`, which calls the file `what`, unless it is there and hashes to `digest`."""
    try:
        found = hash_of(path)
    except FileNotFoundError as error:
        raise StoreDamaged(f"{what} is missing", remedy="make the asset again") from error
    if found != digest:
        raise StoreDamaged(f"{what} hashes to {found}, expected {digest}", remedy="make the asset again")


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_file(descriptor: int) -> None:
    """Keep others from locking the same file until it is closed. Raises `OSError` where one has it already."""
    if os.name == "posix":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def full_said_in_words() -> Iterator[None]:
    """Raise `StoreFull` instead of what the system says of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StoreFull("the disk that holds the store is full", remedy=FULL_REMEDY) from error
        raise


@contextmanager
def removed_on_failure(path: Path) -> Iterator[None]:
    """Leave no file behind where the block ends badly."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
