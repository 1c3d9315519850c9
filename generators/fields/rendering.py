"""What a camera sees of a field, and how dense it is at a point; the way in for everybody who only uses fields.

`opened` makes a field ready once, `render` and `density_at` then ask it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engines.assets import Field, FloatArray
from engines.errors import UnsuitableAsset
from generators.fields.lattice import FAINT, USED, VERTICES, Lattice, completed
from generators.fields.marching import (
    DENSEST,
    HALF,
    NEVER,
    ONE,
    SH1,
    TINY,
    ZERO,
    contracted,
    interpolate,
    next_sample,
    span,
)
from generators.fields.rays import camera_row
from generators.fields.training import ray_of, shade
from generators.radiance.cameras import Camera
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange
from generators.radiance.trainer import Normalisation

QUARTER, DEPTH_UNLIKE = np.float32(0.25), np.float32(0.1)
FINE_STEP, FAR = 0.5, 60.0
"""Distance of samples in cells, and where a ray through contracted space ends, in radii."""
FILLED_BELOW = 0.05
DISTANT = 12.0
"""Beyond so many radii a camera sees the middle alone; what surrounds it would hide it."""
BLOCK = 64


@dataclass(frozen=True, eq=False)
class View:
    """A picture of a field: `colour` float32 [3, H, W] display-referred, over black; `depth` float32 [H, W] along the
    camera's axis where half the light is stopped, 0 where that never happens; `opacity` float32 [H, W] 0..1.
    """

    colour: FloatArray
    depth: FloatArray
    opacity: FloatArray

    def over(self, backdrop: tuple[float, float, float] | None) -> FloatArray:
        """The picture [3, H, W] with nothing left open: black without a backdrop, else like what the ray has met.

        Where a ray has met little, `backdrop` shows; where it is half stopped, its own colour is carried on.
        """
        if backdrop is None:
            return self.colour
        ground = np.array(backdrop, np.float32)[:, None, None] * np.float32(FILLED_BELOW)
        rest = (self.colour + ground) / (self.opacity + np.float32(FILLED_BELOW))
        return np.asarray(self.colour + (1 - self.opacity) * rest, np.float32)


@dataclass(frozen=True)
class Care:
    """How carefully a picture is made: rays end where less than `least` of the light is left; only every `apart`-th
    pixel (1 or 2) along both sides is always traced, the others where those around them differ by `unlike` or more.
    """

    least: float = 2e-3
    apart: int = 1
    unlike: float = 0.0


FULL = Care()


@dataclass(frozen=True, eq=False)
class OpenField:
    """A field made ready: its lattice in units of its radius, and the way there from metres."""

    lattice: Lattice
    normalisation: Normalisation
    contracted: bool
    near: float
    backdrop: tuple[float, float, float] | None


def opened(field: Field) -> OpenField:
    """The field, ready to be looked at; needs about twice its size in memory. Raises `UnsuitableAsset`."""
    coefficients = field.sh.shape[4]
    if coefficients > 4:
        raise UnsuitableAsset(f"the field has {coefficients} harmonics; fields are drawn with 1 or 4")
    # copies, since an asset's arrays are mapped from disk: read-only, for which kernels would be compiled again
    lattice = completed(field.cells, np.array(field.bricks), np.array(field.occupied).reshape(-1, VERTICES))
    missing = (lattice.joined < 0).any()
    if missing:
        lattice.occupied[_reaching_out(lattice)] = 0  # cannot be interpolated
    densest = np.float32(np.log(max(float(field.density.max(initial=0)) * field.radius_m, 1e-9)))
    scaled = np.maximum(field.density.reshape(-1) * np.float32(field.radius_m), np.exp(FAINT))
    lattice.values[:, 0] = np.minimum(np.log(scaled), min(densest, DENSEST))
    lattice.values[:, 1 : 1 + 3 * coefficients] = field.sh.reshape(-1, 3 * coefficients)
    place = Normalisation(np.array(field.centre_m, np.float64), field.radius_m)
    return OpenField(lattice, place, field.contracted, field.near_m / field.radius_m, field.backdrop)


def _reaching_out(lattice: Lattice) -> Any:
    """Cells [B, 64] that reach into a brick that is not there, so that they cannot be interpolated."""
    inside = np.arange(VERTICES)
    at = np.stack([inside // 16, inside // 4 % 4, inside % 4], 1)
    broken = np.zeros(lattice.occupied.shape, np.bool_)
    for corner in range(8):
        offset = np.array([corner >> 2, corner >> 1 & 1, corner & 1])
        beyond = ((at + offset) // 4) @ np.array([4, 2, 1])
        broken |= lattice.joined[:, beyond] < 0
    return broken


def asset_of(
    lattice: Lattice, place: Normalisation, *, near: float, backdrop: tuple[float, float, float] | None,
    seen_from: tuple[float, float, float] | None, name: str,
) -> Field:  # fmt: skip
    """A contracted lattice in normalised space as a neutral asset."""
    shape = (len(lattice), 4, 4, 4)
    values = lattice.values
    density = np.exp(np.minimum(values[:, 0], DENSEST)) / np.float32(place.scale)
    return Field(
        bricks=lattice.bricks,
        occupied=(lattice.occupied > 0).astype(np.uint8).reshape(shape),
        density=np.asarray(density, np.float32).reshape(shape),
        sh=np.ascontiguousarray(values[:, 1:USED], np.float16).reshape(*shape, 4, 3),
        cells=lattice.cells,
        centre_m=(float(place.centre[0]), float(place.centre[1]), float(place.centre[2])),
        radius_m=place.scale,
        contracted=True,
        near_m=near * place.scale,
        backdrop=backdrop,
        seen_from_m=seen_from,
        name=name,
    )


@kernel
def _trace(
    values: Any, joined: Any, places: Any, gaps: Any, occupied: Any, cells: Any, step: Any, bound: Any, near: Any,
    far: Any, least: Any, cameras: Any, forward: Any, u: Any, v: Any, value: Any, rows: Any, out: Any,
) -> None:  # fmt: skip
    """What one pixel sees, into `out` [5]: red, green, blue, depth, opacity; `least` is the light that counts."""
    ox, oy, oz, dx, dy, dz = ray_of(cameras, 0, u, v)
    b1, b2, b3 = -SH1 * dy, SH1 * dz, -SH1 * dx
    ahead = dx * forward[0] + dy * forward[1] + dz * forward[2]
    through, red, green, blue, half = ONE, ZERO, ZERO, ZERO, ZERO
    t, end = span(near, far, bound, ox, oy, oz, dx, dy, dz)
    while through > least:
        t, length, brick, cell, fx, fy, fz = next_sample(
            places, gaps, occupied, cells, step, bound, end, t, ox, oy, oz, dx, dy, dz
        )
        if brick < 0:
            break
        interpolate(values, joined, brick, cell, fx, fy, fz, value, rows)
        after = through * np.exp(-np.exp(min(value[0], DENSEST)) * length)
        weight = through - after
        red += weight * max(ZERO, shade(value, b1, b2, b3, 0))
        green += weight * max(ZERO, shade(value, b1, b2, b3, 1))
        blue += weight * max(ZERO, shade(value, b1, b2, b3, 2))
        if after <= HALF < through:
            half = (t + length * (through - HALF) / weight) * ahead
        through = after
        t += length
    out[0], out[1], out[2], out[3], out[4] = red, green, blue, half, ONE - through


@parallel_kernel
def _render(
    values: Any, joined: Any, places: Any, gaps: Any, occupied: Any, cells: Any, step: Any, bound: Any, near: Any,
    far: Any, least: Any, cameras: Any, forward: Any, apart: Any, unlike: Any, seen: Any,
) -> None:  # fmt: skip
    """Fill `seen` float32 [H, W, 5]: every `apart`-th pixel (1 or 2) of both axes is traced, others where need be.

    A pixel between traced ones is their mean if none of their channels differ by `unlike` or more; depths by their
    ratio.
    """
    height, width = seen.shape[:2]
    for line in prange((height + apart - 1) // apart):
        value, rows = np.zeros(16, np.float32), np.empty(8, np.int32)
        for u in range(0, width, apart):
            _trace(
                values, joined, places, gaps, occupied, cells, step, bound, near, far, least, cameras, forward,
                u, line * apart, value, rows, seen[line * apart, u],
            )  # fmt: skip
    if apart > 1:
        for v in prange(height):
            value, rows = np.zeros(16, np.float32), np.empty(8, np.int32)
            for u in range(1 - v % 2, width, 2 - v % 2):
                u0, u1, v0, v1 = u - u % 2, u + u % 2, v - v % 2, v + v % 2
                if (
                    u1 < width
                    and v1 < height
                    and _alike(seen[v0, u0], seen[v0, u1], seen[v1, u0], seen[v1, u1], unlike)
                ):
                    for channel in range(5):
                        seen[v, u, channel] = QUARTER * (
                            (seen[v0, u0, channel] + seen[v0, u1, channel])
                            + (seen[v1, u0, channel] + seen[v1, u1, channel])
                        )
                else:
                    _trace(
                        values, joined, places, gaps, occupied, cells, step, bound, near, far, least, cameras,
                        forward, u, v, value, rows, seen[v, u],
                    )  # fmt: skip


@inlined
def _alike(a: Any, b: Any, c: Any, d: Any, unlike: Any) -> Any:
    """Whether four pixels show nearly the same: colour and opacity by difference, depth by ratio."""
    for channel in range(5):
        low = min(min(a[channel], b[channel]), min(c[channel], d[channel]))
        high = max(max(a[channel], b[channel]), max(c[channel], d[channel]))
        if high - low >= (unlike if channel != 3 else DEPTH_UNLIKE * high + TINY):
            return False
    return True


def render_lattice(
    lattice: Lattice, camera: Camera, *, step: float, near: float, far: float, curved: bool = True,
    care: Care = FULL,
) -> View:  # fmt: skip
    """A lattice in normalised space as a camera in normalised space sees it."""
    seen = np.empty((camera.height, camera.width, 5), np.float32)
    _render(
        lattice.values.reshape(-1), lattice.joined, lattice.places, lattice.gaps, lattice.occupied,
        np.int64(lattice.cells), np.float32(step), ONE if curved else NEVER, np.float32(near), np.float32(far),
        np.float32(care.least), camera_row(camera)[None], np.asarray(camera.forward, np.float32),
        np.int64(care.apart), np.float32(care.unlike), seen,
    )  # fmt: skip
    planes = np.ascontiguousarray(seen.transpose(2, 0, 1))
    return View(planes[:3], planes[3], planes[4])


def render(field: OpenField, camera: Camera, *, step: float = FINE_STEP, care: Care = FULL) -> View:
    """The field as a camera in metres sees it; depth in metres. A larger `step` (in cells) is quicker and rougher."""
    inside = field.normalisation.camera(camera)
    away = float(np.linalg.norm(inside.position))
    near, far = field.near, FAR if field.contracted else away + 4.0
    if away > DISTANT:  # from far away, as through the long lens of an orthographic view, only the middle is meant
        near, far = away - 1.0, away + FAR
    view = render_lattice(field.lattice, inside, step=step, near=near, far=far, curved=field.contracted, care=care)
    return replace(view, depth=view.depth * np.float32(field.normalisation.scale))


@parallel_kernel
def _density(
    values: Any, joined: Any, places: Any, occupied: Any, cells: Any, bound: Any, points: Any, out: Any
) -> None:
    """Fill `out` [N] with the density at each point; 0 where nothing is."""
    scale, last = np.float32(cells) / np.float32(4), np.float32(cells - 1)
    for block in prange((len(points) + BLOCK - 1) // BLOCK):
        value, rows = np.zeros(16, np.float32), np.empty(8, np.int32)
        for i in range(block * BLOCK, min(len(points), (block + 1) * BLOCK)):
            x, y, z, _, _, _ = contracted(points[i, 0], points[i, 1], points[i, 2], ZERO, ZERO, ZERO, bound)
            gx, gy, gz = (x + 2) * scale, (y + 2) * scale, (z + 2) * scale
            out[i] = ZERO
            if not (gx >= ZERO and gy >= ZERO and gz >= ZERO and gx < last and gy < last and gz < last):
                continue
            ix, iy, iz = np.int64(gx), np.int64(gy), np.int64(gz)
            brick = np.int64(places[ix // 4, iy // 4, iz // 4])
            cell = (ix % 4 * 4 + iy % 4) * 4 + iz % 4
            if brick < 0 or occupied[brick, cell] == 0:
                continue
            fx, fy, fz = np.float32(gx - ix), np.float32(gy - iy), np.float32(gz - iz)
            interpolate(values, joined, brick, cell, fx, fy, fz, value, rows)
            out[i] = np.exp(min(value[0], DENSEST))


def density_at(field: OpenField, points: FloatArray) -> FloatArray:
    """Density per metre, float32 [N], at points [N, 3] in metres; 0 where the field is empty."""
    place, lattice = field.normalisation, field.lattice
    inside = np.ascontiguousarray((points - place.centre) / place.scale, np.float32)
    out = np.empty(len(inside), np.float32)
    bound = ONE if field.contracted else NEVER
    _density(
        lattice.values.reshape(-1), lattice.joined, lattice.places, lattice.occupied, np.int64(lattice.cells), bound,
        inside, out,
    )  # fmt: skip
    return out / np.float32(place.scale)
