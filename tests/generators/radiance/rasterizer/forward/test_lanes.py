"""Further operations on eight lanes, against numpy."""

from __future__ import annotations

import numpy as np

from generators.radiance.rasterizer.forward.lanes import at_least, log2, root
from generators.radiance.rasterizer.kernels import kernel
from generators.radiance.rasterizer.lanes import load, spread, store

FloatRow = np.ndarray[tuple[int], np.dtype[np.float32]]


@kernel
def _all(values: FloatRow, limit: np.float32, logs: FloatRow, roots: FloatRow, larger: FloatRow) -> None:
    for at in range(0, len(values), 8):
        store(logs, at, log2(load(values, at)))
        store(roots, at, root(load(values, at)))
        store(larger, at, at_least(load(values, at), spread(limit)))


def _found(values: FloatRow, limit: float = 1.0) -> tuple[FloatRow, FloatRow, FloatRow]:
    logs, roots, larger = (np.empty_like(values) for _ in range(3))
    _all(values, np.float32(limit), logs, roots, larger)
    return logs, roots, larger


def test_against_numpy() -> None:
    values = np.exp(np.linspace(-80, 80, 80_000)).astype(np.float32)
    logs, roots, larger = _found(values)
    assert np.abs(logs - np.log2(values.astype(np.float64))).max() < 2e-5
    assert np.array_equal(roots, np.sqrt(values)) and np.array_equal(larger, np.maximum(values, np.float32(1)))


def test_no_number_gives_the_limit() -> None:
    _, _, larger = _found(np.full(8, np.nan, np.float32), 0.25)
    assert (larger == np.float32(0.25)).all()
