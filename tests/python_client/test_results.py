"""What a job made: arrays without numpy against numpy's own writer, and the folders results are saved into."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_client import connect, npy
from python_client.errors import ScenecastError, TransferFailed
from python_client.testing import FakeBridge, Made


def written(array: np.ndarray[Any, Any]) -> memoryview:
    file = io.BytesIO()
    np.save(file, array)
    return memoryview(file.getvalue())


@given(
    st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "?"]),
    st.lists(st.integers(0, 5), max_size=4),
)
def test_arrays_are_numpys(dtype: str, shape: list[int]) -> None:
    array = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape).astype(dtype)
    found = npy.parse(written(array))
    assert found.shape == array.shape and np.dtype(found.dtype) == array.dtype
    numbers = np.asarray(found.data)
    numbers = numbers.view("f2") if dtype == "f2" else numbers
    assert numbers.dtype == array.dtype or array.size == 0
    np.testing.assert_array_equal(numbers.reshape(found.shape), array)
    if array.size and shape:
        assert found.data.shape == array.shape and numbers.tolist() == array.tolist()


@pytest.mark.parametrize("array", [np.zeros(2, ">f4"), np.zeros((2, 3), order="F"), np.zeros(2, "c8"), np.array(["a"])])
def test_what_cannot_be_viewed_is_refused(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(TransferFailed):
        npy.parse(written(array))


@given(st.integers(0, 140), st.binary(min_size=1, max_size=30))
def test_damaged_headers_are_refused_or_harmless(at: int, noise: bytes) -> None:
    whole = bytes(written(np.arange(6, dtype="<f4").reshape(2, 3)))
    try:
        found = npy.parse(memoryview(whole[:at] + noise + whole[at + len(noise) :]))
    except TransferFailed:
        return
    assert found.data.nbytes <= len(whole)


def test_arrays_of_a_job_and_several_assets_get_a_folder_each(tmp_path: Path) -> None:
    height = np.linspace(0, 1, 64 * 64, dtype="<f4").reshape(64, 64, 1)
    files = {"height.npy": bytes(written(height)), "manifest.json": b"{}"}
    two = [Made("image", files, name="a/b"), Made("image", {"x.npy": bytes(written(height[0]))}, name="a b")]
    with FakeBridge(lambda message: two) as bridge, connect(bridge.url, bridge.token) as client:
        result = client.submit("test.echo", host="neutral").result(10)
        assert [asset.name for asset in result] == ["a/b", "a b"] and len(result) == 2
        array = result.array("height")
        assert (array.dtype, array.shape) == ("<f4", (64, 64, 1))
        np.testing.assert_array_equal(np.asarray(array.data), height)
        saved = sorted(Path(path).relative_to(tmp_path).as_posix() for path in result.save(tmp_path))
        assert saved == ["a_b/height.npy", "a_b/manifest.json", "a_b_2/x.npy"]
        with pytest.raises(TransferFailed, match=r"not a \.npy"):
            result.array("manifest")
        with pytest.raises(ScenecastError, match="It has height, manifest"):
            result.array("width")
