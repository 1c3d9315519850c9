"""The same maths in torch: what a graphics card trains with, and in float64 the oracle of the numba kernels.

Written apart from the kernels: rays are marched together, all samples of a batch lie packed in one list, and the
gradient is torch's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.assets import FloatArray
from generators.fields.engine import DECAY_FIRST, DECAY_SECOND, EPSILON, Batch, State, fresh
from generators.fields.lattice import CHANNELS, VERTICES, Lattice
from generators.fields.rays import Rays
from generators.fields.settings import FieldSettings
from generators.fields.training import SAMPLES_MAX

SH0, SH1 = 0.28209479177387814, 0.4886025119029199
LOG_DENSEST = 14.0
OPAQUE_DEPTH = 6.907755278982137
"""Optical depth (-ln 1e-3) after which a ray takes no more samples."""
TINY = 1e-6


@dataclass(frozen=True)
class Grid:
    """A lattice's tables on a device."""

    cells: int
    places: Tensor
    gaps: Tensor
    occupied: Tensor
    joined: Tensor
    around: Tensor
    active: Tensor

    @classmethod
    def of(cls, lattice: Lattice, device: str) -> Grid:
        """The tables of `lattice`, copied."""

        def put(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array).astype(np.int64)).to(device)

        return cls(
            lattice.cells, put(lattice.places), put(lattice.gaps), put(lattice.occupied), put(lattice.joined),
            put(lattice.around), put(lattice.active),
        )  # fmt: skip


@dataclass(frozen=True)
class Samples:
    """Packed samples in the order of their rays: `ray` int64 [M], `t` and `length` [M], `rows` int64 [M, 8] of values
    and `weights` [M, 8], `cell` int64 [M].
    """

    ray: Tensor
    t: Tensor
    length: Tensor
    rows: Tensor
    weights: Tensor
    cell: Tensor


def contract(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Points [R, 3] in contracted space, and their velocities there."""
    length = points.norm(dim=1, keepdim=True)
    inverse = 1 / length.clamp(min=1.0)
    scale = (2 - inverse) * inverse
    unit = points * inverse
    radial = (inverse * inverse - scale) * (directions * unit).sum(1, keepdim=True)
    far = length > 1
    return torch.where(far, points * scale, points), torch.where(far, scale * directions + radial * unit, directions)


def _to_edge(at: Tensor, velocity: Tensor, side: float) -> Tensor:
    low = torch.floor(at / side) * side
    ahead, behind = (low + side - at) / velocity, (low - at) / velocity
    never = torch.full_like(at, 1e30)
    return torch.where(velocity > TINY, ahead, torch.where(velocity < -TINY, behind, never))


@torch.no_grad()
def march(
    grid: Grid, values: Tensor, origins: Tensor, directions: Tensor, jitter: Tensor, settings: FieldSettings
) -> Samples:
    """All samples of rays [R, 3] through the lattice, until each is opaque or has left it."""
    scale, last, side = grid.cells / 4, grid.cells - 1, 4
    t = torch.full_like(jitter, settings.near)
    _, velocity = contract(origins + t[:, None] * directions, directions)
    t = t + jitter * settings.step / (velocity.norm(dim=1) * scale)
    depth, count = torch.zeros_like(t), torch.zeros_like(t, dtype=torch.int64)
    alive = torch.arange(len(t), device=t.device)
    found: list[tuple[Tensor, ...]] = []
    while len(alive):
        now = t[alive]
        at, velocity = contract(origins[alive] + now[:, None] * directions[alive], directions[alive])
        grid_at, velocity = (at + 2) * scale, velocity * scale
        length = settings.step / velocity.norm(dim=1).clamp(min=TINY)
        inside = ((grid_at >= 0) & (grid_at < last)).all(1)
        index = grid_at.clamp(0, last - 1).long()
        home, local = index // side, index % side
        brick = grid.places[home[:, 0], home[:, 1], home[:, 2]]
        cell = (local[:, 0] * side + local[:, 1]) * side + local[:, 2]
        held = inside & (brick >= 0)
        hit = held & (grid.occupied[brick.clamp(min=0), cell] > 0)
        out = _to_edge(grid_at, velocity, side).amin(1)
        gap = grid.gaps[home[:, 0], home[:, 1], home[:, 2]]
        beyond = (side * (gap - 1)).to(t) / velocity.abs().amax(1).clamp(min=TINY)
        jump = torch.ceil((out + beyond) / length + 1e-3) * length
        t[alive] = now + torch.where(inside & (brick < 0), jump, length)
        ray = alive[hit]
        rows, weights = corners(grid, brick[hit], cell[hit], grid_at[hit] - index[hit])
        log_density = (values[rows, 0] * weights).sum(1).clamp(max=LOG_DENSEST)
        found.append((ray, now[hit], length[hit], rows, weights, brick[hit] * VERTICES + cell[hit]))
        depth[ray] += log_density.exp() * length[hit]
        count[ray] += 1
        going = (t[alive] < settings.far) & (depth[alive] < OPAQUE_DEPTH) & (count[alive] < SAMPLES_MAX)
        alive = alive[going]
    joined = [torch.cat(parts) for parts in zip(*found, strict=True)]
    order = torch.argsort(joined[0], stable=True)
    return Samples(*(part[order] for part in joined))


def corners(grid: Grid, brick: Tensor, cell: Tensor, within: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of values int64 [M, 8] and trilinear weights [M, 8] for places `within` [M, 3] cells."""
    bits = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], device=cell.device)
    local = torch.stack([cell // 16, cell // 4 % 4, cell % 4], 1)[:, None] + bits
    beyond = (local // 4 * torch.tensor([4, 2, 1], device=cell.device)).sum(2)
    inside = (local % 4 * torch.tensor([16, 4, 1], device=cell.device)).sum(2)
    rows = grid.joined[brick[:, None], beyond] * VERTICES + inside
    weights = torch.where(bits.bool(), within[:, None], 1 - within[:, None]).prod(2)
    return rows, weights


def composite(values: Tensor, samples: Samples, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Colours [R, 3] over black, light left [R], and the weight [M] of each sample."""
    mixed = (values[samples.rows] * samples.weights[:, :, None]).sum(1)
    thickness = mixed[:, 0].clamp(max=LOG_DENSEST).exp() * samples.length
    count = torch.bincount(samples.ray, minlength=len(directions))
    # light before a sample: the sum over the whole list less what it was where the sample's ray began
    total = thickness.double().cumsum(0)
    before = torch.cat([total.new_zeros(1), total])
    starts = before[torch.cat([count.new_zeros(1), count.cumsum(0)[:-1]])]
    reached = (before[:-1] - starts[samples.ray]).to(thickness)
    weight = (-reached).exp() * (1 - (-thickness).exp())
    d = directions[samples.ray]
    basis = torch.stack([torch.full_like(d[:, 0], SH0), -SH1 * d[:, 1], SH1 * d[:, 2], -SH1 * d[:, 0]], 1)
    colour = (0.5 + (mixed[:, 1:13].reshape(-1, 4, 3) * basis[:, :, None]).sum(1)).clamp(min=0)
    image = torch.zeros_like(directions).index_add(0, samples.ray, weight[:, None] * colour)
    optical = torch.zeros_like(directions[:, 0]).index_add(0, samples.ray, thickness)
    return image, (-optical).exp(), weight


def scattered(weight: Tensor, samples: Samples, rays: int) -> Tensor:
    """Σ_ij w_i w_j |s_i - s_j| summed over all rays, on distances s = t / (1 + t)."""
    s = samples.t / (1 + samples.t)
    count = torch.bincount(samples.ray, minlength=rays)
    starts = torch.cat([count.new_zeros(1), count.cumsum(0)[:-1]])

    def before(amount: Tensor) -> Tensor:
        sums = torch.cat([amount.new_zeros(1), amount.cumsum(0)])
        return sums[:-1] - sums[starts][samples.ray]

    return 2 * (weight * (s * before(weight) - before(weight * s))).sum()


def ray_bundle(rays: Rays, batch: Batch, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Origins [R, 3], unit directions [R, 3] and colours to be met [R, 3] of a batch."""
    rows = np.asarray(rays.cameras, np.float64)[batch.views]
    offset = batch.picks - rays.starts[batch.views]
    u, v = offset % rays.widths[batch.views] + 0.5, offset // rays.widths[batch.views] + 0.5
    local = np.stack([(u - rows[:, 14]) / rows[:, 12], (v - rows[:, 15]) / rows[:, 13], np.ones(len(u))], 1)
    directions = np.einsum("rij,rj->ri", rows[:, :9].reshape(-1, 3, 3), local)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    pixels = rays.pixels[batch.picks].astype(np.float64) / 255
    alpha = pixels[:, 3:]
    targets = pixels[:, :3] * alpha + (1 - alpha) * batch.ground
    put = [torch.from_numpy(array).to(like) for array in (rows[:, 9:12], directions, targets)]
    return put[0], put[1], put[2]


class TorchEngine:
    """On any torch device; on a graphics card not the same bits twice, since sums there have no fixed order."""

    def __init__(
        self, lattice: Lattice, first: FloatArray | None = None, second: FloatArray | None = None,
        peaks: FloatArray | None = None, *, device: str = "cpu", dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        state = fresh(lattice, first, second, peaks)
        self._lattice, self._peaks = lattice, state.peaks
        self._grid = Grid.of(lattice, device)

        def put(array: FloatArray) -> Tensor:
            return torch.from_numpy(array).reshape(-1, CHANNELS).to(device, dtype, copy=True)

        self.values = put(lattice.values).requires_grad_(True)
        self._first, self._second = put(state.first), put(state.second)
        self._peak = torch.from_numpy(state.peaks.max(0)).to(device, dtype)

    def rays(self, rays: Rays, batch: Batch, settings: FieldSettings) -> tuple[FloatArray, NDArray[np.int32]]:
        """See `Engine`."""
        origins, directions, targets = ray_bundle(rays, batch, self.values)
        jitter = torch.from_numpy(batch.jitter).to(self.values)
        ground = torch.from_numpy(batch.ground).to(self.values)
        samples = march(self._grid, self.values, origins, directions, jitter, settings)
        image, through, weight = composite(self.values, samples, directions)
        losses = ((image + through[:, None] * ground - targets) ** 2).sum(1)
        loss = losses.sum() + settings.scatter * scattered(weight, samples, len(directions))
        self.values.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self._peak.scatter_reduce_(0, samples.cell, weight.detach().clamp(min=1e-12), "amax")
        counts = torch.bincount(samples.ray, minlength=len(directions))
        return losses.detach().float().cpu().numpy(), counts.int().cpu().numpy()

    @torch.no_grad()
    def smooth(self, pulls: FloatArray, turn: int, turns: int) -> None:
        """See `Engine`; every brick with a gradient has its turn, a `turns`-th as strongly."""
        gradient = self.values.grad
        if gradient is None:
            return
        touched = (gradient != 0).any(1).reshape(-1, VERTICES).any(1).nonzero()[:, 0]
        touched = touched[(touched + turn) % turns == 0]
        device = touched.device
        inside = torch.arange(VERTICES, device=device)
        at = torch.stack([inside // 16, inside // 4 % 4, inside % 4], 1)
        own = (touched[:, None] * VERTICES + inside).reshape(-1)
        active = self._grid.active.reshape(-1)
        pull = torch.zeros_like(self.values[own])
        for side in range(6):
            moved = at.clone()
            moved[:, side // 2] += side % 2 * 2 - 1
            outside = ((moved < 0) | (moved > 3)).any(1)
            home = torch.where(outside, self._grid.around[touched][:, side, None], touched[:, None])
            other = home * VERTICES + (moved % 4 * torch.tensor([16, 4, 1], device=device)).sum(1)
            there = (home >= 0).reshape(-1) & (active[other.clamp(min=0).reshape(-1)] > 0)
            difference = self.values[own] - self.values[other.clamp(min=0).reshape(-1)]
            pull += torch.where(there[:, None], difference, torch.zeros_like(difference))
        gradient[own] += torch.from_numpy(pulls).to(gradient) * pull * (active[own] > 0)[:, None]

    @torch.no_grad()
    def optimise(self, rates: FloatArray) -> None:
        """See `Engine`."""
        gradient = self.values.grad
        if gradient is None:
            return
        rows = (gradient != 0).any(1).nonzero()[:, 0]
        g = gradient[rows]
        first = DECAY_FIRST * self._first[rows] + (1 - DECAY_FIRST) * g
        second = DECAY_SECOND * self._second[rows] + (1 - DECAY_SECOND) * g * g
        self._first[rows], self._second[rows] = first, second
        self.values[rows] -= torch.from_numpy(rates).to(g) * first / (second.sqrt() + EPSILON)
        self.values.grad = None

    def state(self) -> State:
        """See `Engine`."""
        self._lattice.values = self.values.detach().float().cpu().numpy()
        self._peaks[:] = 0
        self._peaks[0] = self._peak.float().cpu().numpy()
        moments = [moment.float().cpu().numpy().reshape(-1) for moment in (self._first, self._second)]
        return State(self._lattice, moments[0], moments[1], self._peaks)
