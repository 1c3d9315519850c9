from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from bridge import disk
from bridge.errors import StoreDamaged, StoreFull


@pytest.mark.parametrize("size", [0, 1, disk.INLINE_BYTES, disk.INLINE_BYTES + 1, 9 << 20])
def test_the_hash_is_that_of_all_bytes_whichever_way_they_are_read(size: int, tmp_path: Path) -> None:
    data = (b"scene" * (size // 5 + 1))[:size]
    (tmp_path / "file").write_bytes(data)
    assert disk.hash_of(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_other_bytes_and_none_are_told_apart(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"cast").hexdigest()
    with pytest.raises(StoreDamaged, match="the part is missing"):
        disk.check_hash(tmp_path / "file", digest, "the part")
    (tmp_path / "file").write_bytes(b"last")
    with pytest.raises(StoreDamaged, match=f"the part hashes to .*, expected {digest}"):
        disk.check_hash(tmp_path / "file", digest, "the part")
    (tmp_path / "file").write_bytes(b"cast")
    disk.check_hash(tmp_path / "file", digest, "the part")
    disk.sync(tmp_path / "file")
    disk.sync(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="locks are taken on POSIX only")
def test_a_locked_file_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    disk.lock_file(first)
    with pytest.raises(OSError):
        disk.lock_file(second)
    os.close(first)
    disk.lock_file(second)
    os.close(second)


@pytest.mark.parametrize("number", sorted(disk.DISK_FULL))
def test_a_full_disk_is_said_in_words(number: int) -> None:
    with pytest.raises(StoreFull) as caught, disk.full_said_in_words():
        raise OSError(number, "no room")
    assert caught.value.remedy == disk.FULL_REMEDY


def test_other_trouble_is_not_taken_for_a_full_disk() -> None:
    with pytest.raises(OSError) as caught, disk.full_said_in_words():
        raise OSError(errno.EIO, "broken")
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_no_file_behind(failure: type[BaseException], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with disk.removed_on_failure(file):
        pass
    assert file.exists()
    with pytest.raises(failure), disk.removed_on_failure(file):
        raise failure
    assert not file.exists()
