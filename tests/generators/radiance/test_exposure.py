"""Exposure is fitted, and its gradient is right."""

from __future__ import annotations

import numpy as np

from generators.radiance.exposure import Exposure, own_gain


def test_gradient_passes_through_the_gain() -> None:
    exposure = Exposure.neutral(2)
    exposure.values[1, 0] = np.log([2.0, 1.0, 0.5])
    image, gradient = np.ones((3, 4, 4), np.float32), np.ones((3, 4, 4), np.float32)
    applied = exposure.applied(1, image)
    assert applied[:, 0, 0].tolist() == [2.0, 1.0, 0.5]
    through = exposure.step(1, image, gradient)
    np.testing.assert_allclose(through[:, 0, 0], [2.0, 1.0, 0.5])


def test_two_differently_exposed_pictures_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((3, 8, 8)).astype(np.float32)
    targets = [truth * 1.25, truth * 0.8]
    exposure = Exposure.neutral(2)
    for turn in range(1500):
        index = turn % 2
        away = exposure.applied(index, truth) - targets[index]
        exposure.step(index, truth, (2 * away / away.size).astype(np.float32))
    gains = np.exp(exposure.values[:, 0])
    np.testing.assert_allclose(gains.mean(1), [1.25, 0.8], rtol=0.05)
    assert np.abs(exposure.values.mean(0)).max() < 1e-6


def test_a_short_run_reaches_what_automatic_exposure_does() -> None:
    rng = np.random.default_rng(0)
    truth = (0.1 + 0.5 * rng.random((3, 8, 8))).astype(np.float32)
    targets = [truth * 1.5, truth / 1.5]
    exposure = Exposure.neutral(2)
    for turn in range(2 * 100):
        away = exposure.applied(turn % 2, truth) - targets[turn % 2]
        exposure.step(turn % 2, truth, (2 * away / away.size).astype(np.float32))
    for index, target in enumerate(targets):
        left = np.abs(exposure.applied(index, truth) - target).mean()
        assert left < 0.22 * np.abs(truth - target).mean()


def test_a_render_is_judged_at_the_photographs_own_gain() -> None:
    rng = np.random.default_rng(1)
    image = rng.random((3, 8, 8)).astype(np.float32)
    gains = np.array([1.4, 1.0, 0.6], np.float32)[:, None, None]
    target = np.clip(image * gains, 0, 1)
    np.testing.assert_allclose(np.clip(own_gain(image, target), 0, 1), target, atol=1e-5)
    mask = np.ones((8, 8), np.bool_)
    mask[:3] = False
    covered = np.where(mask, target, np.float32(0.2))
    np.testing.assert_allclose(np.clip(own_gain(image, covered, mask), 0, 1)[:, mask], target[:, mask], atol=1e-5)
    assert not own_gain(np.zeros_like(image), target).any()
