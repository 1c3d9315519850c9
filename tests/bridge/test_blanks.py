"""The stock of empty files."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bridge.blanks import MOST, Blanks


def _filled() -> None:
    for thread in threading.enumerate():
        if thread.name == "blanks":
            thread.join(120)


def test_every_blank_is_an_empty_file_that_nobody_else_gets(tmp_path: Path) -> None:
    blanks = Blanks(tmp_path)
    taken = [blanks.take() for _ in range(3 * MOST)]
    assert len(set(taken)) == len(taken)
    for path in taken:
        assert Path(path).parent == tmp_path and Path(path).stat().st_size == 0
        assert Path(path).stat().st_mode & 0o777 == 0o600
    _filled()


def test_the_stock_is_filled_behind_the_back_and_has_an_end(tmp_path: Path) -> None:
    blanks = Blanks(tmp_path)
    first = blanks.take()
    _filled()
    # the first is taken before the stock is full, or after
    assert MOST - 1 <= len([path for path in tmp_path.iterdir() if str(path) != first]) <= MOST + 1
    before = set(tmp_path.iterdir())
    assert Path(blanks.take()) in before, "taken from the stock, not made"


def test_a_folder_that_is_gone_is_told_to_whoever_takes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Blanks(tmp_path / "gone").take()
    _filled()
