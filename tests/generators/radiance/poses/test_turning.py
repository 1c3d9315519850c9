"""Homographies of a turning camera are told from those of a plane that is walked past."""

from __future__ import annotations

import numpy as np
import pytest

from generators.radiance.poses.turning import RESIDUAL, only_turned, residual

WIDTH, HEIGHT = 640, 480
INNER = np.array([[700.0, 0, 320], [0, 700, 240], [0, 0, 1]])


def rotation(yaw: float, pitch: float) -> np.ndarray:
    a, b = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return np.asarray(about_y @ about_x)


def pairs_of(shift: float, noise: float = 0.0) -> list[np.ndarray]:
    """Of a wall at distance 1, the camera moving aside by `shift` at each step; scaled at random as H is."""
    rng = np.random.default_rng(0)
    result = []
    for step in range(1, 9):
        turn = rotation(5 * step, 2 * np.sin(step))
        inner = turn + shift * step * np.outer([1.0, 0.2, 0.0], [0.0, 0.0, 1.0])
        matrix = INNER @ inner @ np.linalg.inv(INNER)
        result.append(matrix * rng.uniform(-3, 3) * (1 + noise * rng.normal(size=(3, 3))))
    return result


def test_turning_leaves_nothing_over() -> None:
    assert residual(pairs_of(0.0), WIDTH, HEIGHT) < 0.01  # the focal length is tried in steps
    assert only_turned(pairs_of(0.0), 8, WIDTH, HEIGHT)
    assert only_turned(pairs_of(0.0, noise=0.002), 8, WIDTH, HEIGHT)


@pytest.mark.parametrize("shift", [0.03, 0.1])
def test_a_step_aside_is_seen(shift: float) -> None:
    assert residual(pairs_of(shift), WIDTH, HEIGHT) > RESIDUAL
    assert not only_turned(pairs_of(shift), 8, WIDTH, HEIGHT)


def test_a_few_homographies_among_many_pairs_say_nothing() -> None:
    assert not only_turned(pairs_of(0.0), 20, WIDTH, HEIGHT)
    assert not only_turned(pairs_of(0.0)[:2], 2, WIDTH, HEIGHT)
    assert not only_turned([np.full((3, 3), np.nan)] * 8, 8, WIDTH, HEIGHT)
