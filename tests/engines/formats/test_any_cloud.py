"""Any cloud that the neutral form allows goes through every splat format, or is refused in words."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.assets import Splats
from engines.errors import UnsuitableAsset
from engines.formats.registry import Limits, decoder, encoder, format_named
from engines.hosts import HOSTS

LIMITS = Limits()
EXTREMES = {
    "positions": st.sampled_from([0.0, 1e-30, -1.0, 3.5, 1e4, -1e6]) | st.floats(-100, 100, width=32),
    "scales": st.sampled_from([1e-12, 1e-6, 0.01, 1.0, 1e5]),
    "opacities": st.sampled_from([0.0, 1e-9, 0.5, 1.0]) | st.floats(0, 1, width=32),
    "sh": st.sampled_from([0.0, -50.0, 50.0, 1e-20]) | st.floats(-2, 2, width=32),
}


@st.composite
def clouds(draw: st.DrawFn) -> Splats:
    count, coefficients = draw(st.integers(1, 12)), draw(st.sampled_from([1, 4, 9, 16]))

    def values(name: str, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        few = draw(st.lists(EXTREMES[name], min_size=1, max_size=6))
        return np.random.default_rng(draw(st.integers(0, 99))).choice(few, shape).astype(np.float32)

    turns = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(count, 4))
    return Splats(
        values("positions", (count, 3)),
        (turns / np.linalg.norm(turns, axis=1, keepdims=True)).astype(np.float32),
        values("scales", (count, 3)),
        values("opacities", (count,)),
        values("sh", (count, coefficients, 3)),
        draw(st.text(max_size=5)),
    )


@pytest.mark.parametrize("name", ["ply", "compressed_ply", "spz", "sog", "splat", "ksplat", "glb"])
@settings(max_examples=40, deadline=None)
@given(splats=clouds())
def test_it_comes_back_whole_or_is_refused(name: str, splats: Splats) -> None:
    row = format_named(name)
    with tempfile.TemporaryDirectory() as folder:
        try:
            [file] = encoder(row)(splats, Path(folder), "f", host=HOSTS["python"])
        except UnsuitableAsset as refused:
            assert refused.message
            return
        got = decoder(row)(Path(folder) / file.file, LIMITS)
    assert isinstance(got, Splats)
    assert got.positions.shape == splats.positions.shape
    for part in ("positions", "rotations", "scales", "opacities", "sh"):
        array = getattr(got, part)
        assert array.dtype == np.float32 and array.flags.c_contiguous and np.isfinite(array).all(), part
    assert (got.scales > 0).all() and (got.opacities >= 0).all() and (got.opacities <= 1).all()
    np.testing.assert_allclose(np.linalg.norm(got.rotations, axis=1), 1, atol=1e-5)
    # Whatever the order, the box is that of the cloud, to a thousandth of its size.
    reach = float(np.abs(splats.positions).max()) + 1e-3
    for end in (np.min, np.max):
        np.testing.assert_allclose(end(got.positions, axis=0), end(splats.positions, axis=0), atol=1e-3 * reach)
