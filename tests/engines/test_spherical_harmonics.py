import math

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.spherical_harmonics import COEFFICIENTS, DC, band_matrix, basis, degree_of, evaluate, rotate


def plain_basis(direction: tuple[float, float, float], degree: int) -> list[float]:
    """The slow twin: associated Legendre functions by their recurrence, with the Condon-Shortley phase."""
    x, y, z = direction
    phi = math.atan2(y, x)
    values = []
    for l in range(degree + 1):  # noqa: E741 - the field's letter
        for m in range(-l, l + 1):
            size = math.sqrt((2 * l + 1) / (4 * math.pi) * math.factorial(l - abs(m)) / math.factorial(l + abs(m)))
            p = legendre(l, abs(m), z)
            if m == 0:
                values.append(size * p)
            else:
                values.append(math.sqrt(2) * size * p * (math.cos(m * phi) if m > 0 else math.sin(-m * phi)))
    return values


def legendre(l: int, m: int, z: float) -> float:  # noqa: E741
    value = 1.0
    for k in range(1, m + 1):
        value *= -(2 * k - 1) * math.sqrt(max(0.0, 1 - z * z))
    if l == m:
        return value
    before, value = value, z * (2 * m + 1) * value
    for k in range(m + 2, l + 1):
        before, value = value, ((2 * k - 1) * z * value - (k + m - 1) * before) / (k - m)
    return value


def random_directions(count: int, seed: int = 0) -> NDArray[np.float64]:
    d = np.random.default_rng(seed).normal(size=(count, 3))
    return np.asarray(d / np.linalg.norm(d, axis=1, keepdims=True))


def random_orthogonal(seed: int) -> NDArray[np.float64]:
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return np.asarray(q * np.linalg.det(q) * (1 if seed % 2 else -1))


def test_basis_equals_its_slow_twin() -> None:
    directions = random_directions(200)
    expected = [plain_basis(tuple(d), 3) for d in directions]
    np.testing.assert_allclose(basis(directions, 3), expected, atol=1e-12)


def test_basis_is_orthonormal() -> None:
    z, weight = np.polynomial.legendre.leggauss(8)
    angle = 2 * np.pi * np.arange(16) / 16
    ring = np.sqrt(1 - z**2)[:, None]
    d = np.stack([ring * np.cos(angle), ring * np.sin(angle), np.repeat(z[:, None], 16, 1)], -1)
    values = basis(d.reshape(-1, 3), 3)
    weights = np.repeat(weight * 2 * np.pi / 16, 16)
    np.testing.assert_allclose((values.T * weights) @ values, np.eye(16), atol=1e-12)


def test_signs_are_those_of_the_splatting_code() -> None:
    # Its constants: C0 = 0.2820948, C1 = 0.4886025, C2 = (1.0925484, -1.0925484, 0.3153916, -1.0925484, 0.5462742),
    # C3 = (-0.5900436, 2.8906114, -0.4570458, 0.3731763, -0.4570458, 1.4453057, -0.5900436).
    x, y, z = np.float64(0.48), np.float64(0.6), np.float64(0.64)
    xx, yy, zz = x * x, y * y, z * z
    expected = [0.2820948, -0.4886025 * y, 0.4886025 * z, -0.4886025 * x]
    expected += [1.0925484 * x * y, -1.0925484 * y * z, 0.3153916 * (2 * zz - xx - yy), -1.0925484 * x * z]
    expected += [0.5462742 * (xx - yy), -0.5900436 * y * (3 * xx - yy), 2.8906114 * x * y * z]
    expected += [-0.4570458 * y * (4 * zz - xx - yy), 0.3731763 * z * (2 * zz - 3 * xx - 3 * yy)]
    expected += [-0.4570458 * x * (4 * zz - xx - yy), 1.4453057 * z * (xx - yy), -0.5900436 * x * (xx - 3 * yy)]
    np.testing.assert_allclose(basis(np.array([x, y, z]), 3), expected, atol=1e-6)
    assert basis(np.array([x, y, z]), 0)[0] == DC


def test_evaluate_equals_a_plain_sum() -> None:
    rng = np.random.default_rng(3)
    for coefficients in COEFFICIENTS:
        sh = rng.normal(size=(20, coefficients, 3)).astype(np.float32)
        directions = random_directions(20)
        expected = np.zeros((20, 3))
        for row in range(20):
            for k, value in enumerate(plain_basis(tuple(directions[row]), degree_of(coefficients))):
                expected[row] += value * sh[row, k]
        np.testing.assert_allclose(evaluate(sh, directions), expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(24))
def test_a_rotated_cloud_looks_the_same_from_the_rotated_side(seed: int) -> None:
    matrix = random_orthogonal(seed)
    sh = np.random.default_rng(seed).normal(size=(50, 16, 3)).astype(np.float32)
    directions = random_directions(50, seed)
    np.testing.assert_allclose(evaluate(rotate(sh, matrix), directions @ matrix.T), evaluate(sh, directions), atol=1e-5)


def test_reflections_are_among_the_matrices_tried() -> None:
    signs = {bool(np.linalg.det(random_orthogonal(seed)) > 0) for seed in range(24)}
    assert signs == {True, False}


@pytest.mark.parametrize("degree", range(4))
def test_band_matrices_are_orthogonal_and_compose(degree: int) -> None:
    a, b = random_orthogonal(1), random_orthogonal(2)
    first, second = band_matrix(a, degree), band_matrix(b, degree)
    np.testing.assert_allclose(first @ first.T, np.eye(2 * degree + 1), atol=1e-12)
    np.testing.assert_allclose(band_matrix(b @ a, degree), second @ first, atol=1e-12)


@pytest.mark.parametrize("signs", [(1, 1, -1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_mirrors_and_half_turns_are_exact_sign_flips(signs: tuple[int, int, int]) -> None:
    sh = np.random.default_rng(0).normal(size=(10, 16, 3)).astype(np.float32)
    turned = rotate(sh, np.diag(signs))
    assert np.array_equal(np.abs(turned), np.abs(sh))
    assert np.array_equal(rotate(turned, np.diag(signs)), sh)


def test_what_cannot_be_rotated_is_refused() -> None:
    with pytest.raises(ValueError, match="orthogonal"):
        band_matrix(np.eye(3) * 2, 1)
    with pytest.raises(ValueError, match="1, 4, 9 or 16"):
        rotate(np.zeros((1, 5, 3), np.float32), np.eye(3))
