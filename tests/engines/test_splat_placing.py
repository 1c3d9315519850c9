"""Clouds under affine maps: the same Gaussians, whatever their axes are called."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.errors import DamagedFile
from engines.spherical_harmonics import evaluate
from engines.splat_placing import placed, quaternions_of
from engines.transforms import rotation_matrices
from tests.engines.formats.splat_clouds import cloud, covariances


def world(linear: NDArray[np.float64], shift: tuple[float, float, float] = (1.0, -2.0, 3.0)) -> NDArray[np.float64]:
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = linear, shift
    return result


def turn(seed: int) -> NDArray[np.float64]:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(q * np.sign(np.linalg.det(q)))


@pytest.mark.parametrize("linear", [
    turn(1), 2.5 * turn(2), -turn(3), np.diag([-1.0, 1, 1]), 0.1 * turn(4) @ np.diag([1.0, -1, 1]),
    np.diag([1.0, 2, 3]), turn(5) @ np.diag([-1.0, 2, 0.5]) @ turn(6), np.random.default_rng(7).normal(size=(3, 3)),
])  # fmt: skip
def test_every_gaussian_becomes_what_the_map_makes_of_it(linear: NDArray[np.float64]) -> None:
    splats = cloud(200)
    got = placed(splats, world(linear))
    np.testing.assert_allclose(got.positions, splats.positions @ linear.T + [1, -2, 3], atol=1e-5)
    expected = linear @ covariances(splats) @ linear.T
    error = np.linalg.norm(covariances(got) - expected, axis=(1, 2)) / np.linalg.norm(expected, axis=(1, 2))
    assert error.max() < 1e-5
    assert (got.scales > 0).all()
    np.testing.assert_allclose(np.linalg.norm(got.rotations, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("linear", [turn(1), 3 * turn(2), -turn(3)])
def test_colours_turn_with_the_cloud(linear: NDArray[np.float64]) -> None:
    splats = cloud(50)
    got = placed(splats, world(linear))
    directions = np.random.default_rng(0).normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    moved = directions @ linear.T
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(evaluate(got.sh, moved), evaluate(splats.sh, directions), atol=1e-5)


def test_nothing_is_touched_where_nothing_moves() -> None:
    splats = cloud(5)
    assert placed(splats, np.eye(4)) is splats


@pytest.mark.parametrize("linear", [np.zeros((3, 3)), np.diag([1.0, 1, 0]), np.full((3, 3), np.nan), 1e30 * np.eye(3)])
def test_a_flat_or_endless_map_is_refused(linear: NDArray[np.float64]) -> None:
    with pytest.raises(DamagedFile, match="determinant"):
        placed(cloud(3), world(linear))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_quaternions_say_the_same_as_their_matrices(seed: int) -> None:
    q = np.random.default_rng(seed).normal(size=(7, 4))
    q[0] = [0, 0, 1, 0]
    matrices = rotation_matrices(q)
    np.testing.assert_allclose(rotation_matrices(quaternions_of(matrices)), matrices, atol=1e-6)
