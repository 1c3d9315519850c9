"""Clouds as the editors see them: taken from a request, checked, weighed, cut and described in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from generators.events import GeneratorError, Request
from generators.radiance.rasterizer.kernels import parallel_kernel, prange

ARRAYS = ("positions", "rotations", "scales", "opacities", "sh")
_SHAPES = {"positions": (3,), "rotations": (4,), "scales": (3,), "opacities": ()}


def cloud_from(request: Request, port: str = "cloud", *, broken_allowed: bool = False) -> Splats:
    """The cloud at an input port, with at least one splat and arrays that fit together.

    Raises `GeneratorError` when it is missing, empty or, unless allowed, holds values that are not numbers.
    """
    cloud = request.inputs.get(port)
    if not isinstance(cloud, Splats):
        got = "nothing" if cloud is None else f"a {cloud.kind}"
        raise GeneratorError(f"input {port!r}: expected a splat cloud, got {got}")
    count = len(cloud.positions)
    for name, shape in _SHAPES.items():
        if getattr(cloud, name).shape != (count, *shape):
            found = list(getattr(cloud, name).shape)
            raise GeneratorError(f"input {port!r}: {name} have the shape {found}, expected {[count, *shape]}")
    if cloud.sh.ndim != 3 or len(cloud.sh) != count or cloud.sh.shape[1] not in (1, 4, 9, 16) or cloud.sh.shape[2] != 3:
        raise GeneratorError(f"input {port!r}: sh have the shape {list(cloud.sh.shape)}, expected [{count}, K, 3]")
    if count == 0:
        raise GeneratorError(f"input {port!r}: the cloud is empty; give one with at least one splat")
    cloud = owned(cloud)
    bad = 0 if broken_allowed else int(broken_rows(cloud).sum())
    if bad:
        raise GeneratorError(
            f"input {port!r}: {bad:,} of {count:,} splats hold values that are not numbers; run splats.clean first"
        )
    return cloud


def owned(cloud: Splats) -> Splats:
    """The cloud in contiguous float32 arrays that may be written to; the same object if it is so already.

    Inputs come as files mapped read-only, and numba would compile every kernel once more for such arrays.
    """
    arrays = {name: getattr(cloud, name) for name in ARRAYS}
    if all(a.dtype == np.float32 and a.flags.c_contiguous and a.flags.writeable for a in arrays.values()):
        return cloud
    positions, rotations, scales, opacities, sh = (np.array(a, np.float32, order="C") for a in arrays.values())
    return Splats(positions, rotations, scales, opacities, sh, cloud.name)


def broken_rows(cloud: Splats) -> NDArray[np.bool_]:
    """Which splats hold NaN, infinity, a rotation of length 0 or a scale that is not above 0; bool [N]."""
    bad = np.zeros(len(cloud.positions), np.bool_)
    for name in ARRAYS:
        array = getattr(cloud, name).reshape(len(bad), -1)
        # The sum is finite unless a value is not, or in the rare case of overflow: only then each value is looked at.
        if not np.isfinite(array.sum(dtype=np.float64)):
            bad |= ~np.isfinite(array).all(1)
    bad |= ~((cloud.scales[:, 0] > 0) & (cloud.scales[:, 1] > 0) & (cloud.scales[:, 2] > 0))
    longest = np.maximum.reduce([np.abs(cloud.rotations[:, axis]) for axis in range(4)])
    return np.asarray(bad | ~(longest > 0), np.bool_)


def taken(cloud: Splats, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Splats:
    """The chosen splats, in the order of `rows` if these are indices."""
    return Splats(
        positions=np.ascontiguousarray(cloud.positions[rows]),
        rotations=np.ascontiguousarray(cloud.rotations[rows]),
        scales=np.ascontiguousarray(cloud.scales[rows]),
        opacities=np.ascontiguousarray(cloud.opacities[rows]),
        sh=np.ascontiguousarray(cloud.sh[rows]),
        name=cloud.name,
    )


def joined(clouds: list[Splats], *, name: str = "") -> Splats:
    """All splats of several clouds, at the highest degree of harmonics among them."""
    harmonics = max(cloud.sh.shape[1] for cloud in clouds)
    sh = np.zeros((sum(len(cloud.sh) for cloud in clouds), harmonics, 3), np.float32)
    first = 0
    for cloud in clouds:
        sh[first : first + len(cloud.sh), : cloud.sh.shape[1]] = cloud.sh
        first += len(cloud.sh)
    return Splats(
        positions=np.concatenate([cloud.positions for cloud in clouds]),
        rotations=np.concatenate([cloud.rotations for cloud in clouds]),
        scales=np.concatenate([cloud.scales for cloud in clouds]),
        opacities=np.concatenate([cloud.opacities for cloud in clouds]),
        sh=sh,
        name=name or clouds[0].name,
    )


def areas(scales: FloatArray) -> FloatArray:
    """The mean picture area of each splat over all directions, up to one factor: float32 [N], square metres.

    A quarter of an ellipsoid's surface (Cauchy), by Thomsen's approximation with exponent 1.6.
    """
    a, b, c = scales[:, 0], scales[:, 1], scales[:, 2]
    power = np.float32(1.6)
    mean = ((a * b) ** power + (b * c) ** power + (c * a) ** power) / np.float32(3)
    return np.asarray(np.float32(np.pi) * mean ** np.float32(1 / 1.6), np.float32)


def importance(cloud: Splats) -> FloatArray:
    """Opacity times mean picture area, float32 [N]: how much of a picture a splat makes, wherever one looks from."""
    return np.asarray(cloud.opacities * areas(cloud.scales), np.float32)


@dataclass(frozen=True)
class Extent:
    """Where the bulk of a cloud lies: `centre` and `low`, `high` float64 [3], `radius_m` around the centre."""

    centre: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    radius_m: float


def extent(cloud: Splats, *, share: float = 0.02, samples: int = 100_000) -> Extent:
    """The bulk by opacity, with `share` of it left out on each side; a few floaters do not move it."""
    step = max(1, len(cloud.positions) // samples)
    points, weights = cloud.positions[::step].astype(np.float64), cloud.opacities[::step].astype(np.float64) + 1e-6
    low, centre, high = (
        np.array([weighted_quantile(points[:, axis], weights, at) for axis in range(3)])
        for at in (share, 0.5, 1 - share)
    )
    distance = np.linalg.norm(points - centre, axis=1)
    radius = weighted_quantile(distance, weights, 0.9)
    return Extent(centre, low, high, max(radius, 1e-9))


def weighted_quantile(values: NDArray[Any], weights: NDArray[Any], at: float) -> float:
    """The smallest value below or at which `at` of the weight lies."""
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(weights[order], dtype=np.float64)
    return float(values[order[min(np.searchsorted(sums, at * sums[-1]), len(order) - 1)]])


def whereabouts(positions: FloatArray) -> str:
    """Words for where points lie: "(-1.2, 0, -3.1) and (1.2, 2.4, 0.5) m"."""
    low, high = positions.min(0), positions.max(0)
    return f"{point_words(low)} and {point_words(high)} m"


def point_words(point: NDArray[Any]) -> str:
    """ "(1.25, 0, -3.1)": three significant digits each."""
    return "(" + ", ".join(f"{float(value):.3g}" for value in point) + ")"


@parallel_kernel
def _fill_covariances(rotations: FloatArray, scales: FloatArray, out: FloatArray) -> None:
    for i in prange(len(rotations)):
        w, x, y, z = rotations[i, 0], rotations[i, 1], rotations[i, 2], rotations[i, 3]
        length = w * w + x * x + y * y + z * z
        two = np.float32(2) / length
        one = np.float32(1)
        m0, m1, m2 = one - two * (y * y + z * z), two * (x * y - w * z), two * (x * z + w * y)
        m3, m4, m5 = two * (x * y + w * z), one - two * (x * x + z * z), two * (y * z - w * x)
        m6, m7, m8 = two * (x * z - w * y), two * (y * z + w * x), one - two * (x * x + y * y)
        a = scales[i, 0] * scales[i, 0]
        b = scales[i, 1] * scales[i, 1]
        c = scales[i, 2] * scales[i, 2]
        out[i, 0] = a * m0 * m0 + b * m1 * m1 + c * m2 * m2
        out[i, 1] = a * m0 * m3 + b * m1 * m4 + c * m2 * m5
        out[i, 2] = a * m0 * m6 + b * m1 * m7 + c * m2 * m8
        out[i, 3] = a * m3 * m3 + b * m4 * m4 + c * m5 * m5
        out[i, 4] = a * m3 * m6 + b * m4 * m7 + c * m5 * m8
        out[i, 5] = a * m6 * m6 + b * m7 * m7 + c * m8 * m8


def covariances(cloud: Splats) -> FloatArray:
    """Covariances float32 [N, 6] in square metres: xx, xy, xz, yy, yz, zz."""
    out = np.empty((len(cloud.positions), 6), np.float32)
    _fill_covariances(
        np.ascontiguousarray(cloud.rotations, np.float32), np.ascontiguousarray(cloud.scales, np.float32), out
    )
    return out


def shortest_axes(cloud: Splats) -> FloatArray:
    """Unit direction float32 [N, 3] of each splat's smallest scale: its normal, but for the sign."""
    w, x, y, z = (cloud.rotations[:, axis] for axis in range(4))
    columns = (
        (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)),
        (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)),
        (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)),
    )
    thin = np.argmin(cloud.scales, axis=1)
    axes = np.stack([np.choose(thin, [column[row] for column in columns]) for row in range(3)], axis=-1)
    return np.asarray(axes / np.linalg.norm(axes, axis=1, keepdims=True), np.float32)
