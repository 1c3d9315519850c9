"""The numba kernels against torch in float64: the same samples, losses and gradients by group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generators.fields.engine import Batch, NumbaEngine
from generators.fields.lattice import Lattice
from generators.fields.rays import Rays, rays_of
from generators.fields.settings import FieldSettings
from generators.fields.torch_path import TorchEngine
from tests.generators.elsewhere import ELSEWHERE, elsewhere
from tests.generators.fields.lattices import random_lattice, random_photographs
from tests.generators.radiance.scenes import relative_error

GROUPS = {"density": slice(0, 1), "colour": slice(1, 4), "view": slice(4, 13)}


def everything(rays: Rays, seed: int = 0) -> Batch:
    """Every pixel of all views once."""
    rng = np.random.default_rng(seed)
    picks = np.arange(len(rays.pixels))
    views = (np.searchsorted(rays.starts, picks, side="right") - 1).astype(np.int32)
    return Batch(picks, views, rng.random(len(picks), np.float32), rng.random(3, np.float32))


def copied(lattice: Lattice) -> Lattice:
    return random_like(lattice, lattice.values.copy())


def random_like(lattice: Lattice, values: NDArray[Any]) -> Lattice:
    return replace(lattice, values=values)


@pytest.mark.parametrize("scatter", [0.0, 0.3])
@pytest.mark.parametrize(("cells", "share", "alpha"), [(16, 0.3, False), (32, 0.05, True), (8, 1.0, False)])
def test_gradients_are_those_of_torch(cells: int, share: float, alpha: bool, scatter: float) -> None:
    lattice = random_lattice(cells, share, seed=cells)
    rays = rays_of(random_photographs(alpha=alpha))
    batch, settings = everything(rays), FieldSettings(scatter=scatter)
    fast = NumbaEngine(copied(lattice))
    slow = TorchEngine(copied(lattice), dtype=torch.float64)
    losses, counts = fast.rays(rays, batch, settings)
    wanted, samples = slow.rays(rays, batch, settings)
    assert samples.sum() > 1000 and (counts == samples).mean() > 0.99
    same = counts == samples
    np.testing.assert_allclose(losses[same], wanted[same], rtol=2e-4, atol=1e-5)
    got = fast.gradients.sum(0).reshape(-1, 16)
    assert slow.values.grad is not None
    truth = slow.values.grad.numpy()
    for name, columns in GROUPS.items():
        assert np.abs(truth[:, columns]).max() > 0
        assert relative_error(got[:, columns], truth[:, columns]) < 1e-3, name
    assert not got[:, 13:].any()


def test_a_whole_step_is_that_of_torch() -> None:
    lattice = random_lattice(16, 0.4, seed=5)
    rays = rays_of(random_photographs())
    engines = (NumbaEngine(copied(lattice)), TorchEngine(copied(lattice), dtype=torch.float64))
    rates = np.array([0.1] + [0.02] * 3 + [0.01] * 9 + [0] * 3, np.float32)
    pulls = np.array([1e-3] + [1e-2] * 3 + [2e-2] * 9 + [0] * 3, np.float32)
    for turn in range(3):
        for engine in engines:
            engine.rays(rays, everything(rays, turn), FieldSettings())
            engine.smooth(pulls, turn % 2, 2)
            engine.optimise(rates)
    fast, slow = (engine.state() for engine in engines)
    moved = slow.lattice.values - lattice.values
    assert np.abs(moved).max() > 0.05
    for columns in GROUPS.values():
        # Adam's first steps are signs of gradients, and a gradient of nothing but rounding has any sign
        away = np.abs((fast.lattice.values - slow.lattice.values)[:, columns])
        assert np.quantile(away, 0.99) < 1e-3 * np.abs(moved[:, columns]).max()
    np.testing.assert_allclose(fast.peaks.max(0), slow.peaks.max(0), atol=2e-3)


def test_another_device_than_the_processor_holds_all_of_it() -> None:
    lattice = random_lattice(16, 0.3, seed=16)
    rays = rays_of(random_photographs())
    rates, pulls = np.full(16, 0.01, np.float32), np.full(16, 1e-3, np.float32)

    def states(device: str) -> list[NDArray[Any]]:
        engine = TorchEngine(copied(lattice), device=device)
        for turn in range(2):
            losses, counts = engine.rays(rays, everything(rays, turn), FieldSettings())
            engine.smooth(pulls, turn, 2)
            engine.optimise(rates)
        state = engine.state()
        return [losses, counts, state.lattice.values, state.first, state.second, state.peaks]

    want = states("cpu")
    with elsewhere() as watch:
        got = states(ELSEWHERE)
    assert watch.calls > 1000
    for mine, theirs in zip(got, want, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    # light before a sample is a difference of sums over all rays, which float32 would not carry; nothing else is wide
    marched = {name for name in watch.dtypes.get(torch.float64, ()) if "matmul" in name or "exp" in name}
    assert not marched


def test_the_gradient_is_that_of_finite_differences() -> None:
    lattice = random_lattice(8, 1.0, seed=2)
    rays = rays_of(random_photographs(1))
    batch, settings = everything(rays), FieldSettings(scatter=0.0)
    fast = NumbaEngine(copied(lattice))
    fast.rays(rays, batch, settings)
    got = fast.gradients.sum(0).reshape(-1, 16)
    row = int(np.abs(got[:, 0]).argmax())
    for channel in (0, 2, 7):
        losses = []
        for sign in (-1, 1):
            values = lattice.values.astype(np.float64)
            values[row, channel] += sign * 1e-4
            engine = TorchEngine(random_like(lattice, values), dtype=torch.float64)
            losses.append(float(engine.rays(rays, batch, settings)[0].astype(np.float64).sum()))
        assert got[row, channel] == pytest.approx((losses[1] - losses[0]) / 2e-4, rel=0.02)
