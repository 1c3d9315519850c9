"""Rows for stored arrays, held against numpy; the rest of delivery is tested end to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge.delivery import _array_row
from bridge.errors import StoreDamaged
from engines.assets import Image
from engines.kinds import Kind
from engines.manifest import Manifest, Part
from engines.neutral import NPY, write

DTYPES = ("bool", "uint8", "int8", "uint16", "int32", "int64", "float16", "float32", "float64", "complex64")


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 3), (257, 1)])
def test_an_array_row_says_where_its_numbers_are(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(int(np.prod(shape))).reshape(shape) % 2).astype(name)
    path = tmp_path / "values.npy"
    np.save(path, array)
    part = Part("values", "0" * 64, path.stat().st_size, NPY, array.dtype.name, array.shape)
    row = _array_row(part, Manifest(Kind.IMAGE, "", parts=(part,)))
    assert row.dtype == array.dtype.newbyteorder("<").str
    read = np.frombuffer(path.read_bytes(), row.dtype, offset=row.offset or 0).reshape(row.shape)
    assert np.array_equal(read, array)


def test_a_written_asset_is_described_as_it_lies_on_disk(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    draft = write(Image(pixels), tmp_path).parts[0]
    part = Part(draft.name, "0" * 64, draft.bytes, draft.media_type, draft.dtype, draft.shape)
    row = _array_row(part, Manifest(Kind.IMAGE, "", parts=(part,)))
    assert (tmp_path / draft.file).read_bytes()[row.offset :] == pixels.tobytes()


def test_a_part_of_no_numbers_is_refused() -> None:
    part = Part("values", "0" * 64, 10, NPY, "object", (1,))
    with pytest.raises(StoreDamaged, match="'object'"):
        _array_row(part, Manifest(Kind.IMAGE, "", parts=(part,)))


def test_a_bridge_starts_without_numpy() -> None:
    program = "import sys, bridge.app; from generators import catalog; catalog.load(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == 0
