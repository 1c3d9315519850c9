"""Two-dimensional stable fluids for fire and smoke, forced periodically so that a loop can be cut from the run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from generators.procedural.looping_noise import LoopingNoise

GUST_PX = 128
CORES = 5
"""Hot spots at the base."""


@dataclass(frozen=True)
class Plume:
    """What rises: all rates are per frame, lengths in shares of the picture."""

    width: float
    """Half width of the source."""
    lift: float
    """Upward acceleration of matter at temperature 1."""
    swirl: float
    """Vorticity confinement (Fedkiw et al. 2001): puts back the swirls that the grid smears."""
    flicker: float
    """Strength of the random push at the source."""
    cooling: float
    """Temperature lost per frame."""
    fading: float
    """Share of the smoke kept per frame."""
    expansion: float
    """Divergence where heat is released: hot gas takes more room, which keeps flames full."""
    gusts: float
    """Speed of the turbulence too fine for the flow to make by itself: it tears flames into tongues."""
    speed_limit: float = 0.06


class PlumeSimulation:
    """Semi-Lagrangian advection and an exact spectral projection (Stam 1999), on one square grid of `size`."""

    def __init__(self, size: int, plume: Plume, period: int, rng: np.random.Generator, device: str) -> None:
        """`period` is the number of frames after which the forcing repeats; the randomness is drawn here."""
        self.size, self.plume, self.period, self.device = size, plume, period, torch.device(device)
        at = (torch.arange(size, device=self.device) + 0.5) / size
        self.y, self.x = torch.meshgrid(at, at, indexing="ij")
        frequency = torch.fft.fftfreq(size, device=self.device)
        self.ky, self.kx = frequency[:, None], torch.fft.rfftfreq(size, device=self.device)[None]
        self.k2 = self.kx**2 + self.ky**2
        self.k2[0, 0] = 1
        self.velocity = torch.zeros(2, size, size, device=self.device)
        self.matter = torch.zeros(2, size, size, device=self.device)
        self.frame = 0
        # Open sides: what nears the border is slowed, or the periodic projection would push from the far side.
        edge = torch.minimum(torch.minimum(self.x, 1 - self.x) / 0.08, torch.minimum(self.y, 1 - self.y) / 0.02)
        self.calm = edge.clamp(0, 1)
        # Matter thins out below the top, where it could only pile up.
        self.thinning = 1 - 0.1 * ((0.3 - self.y) / 0.3).clamp(0, 1)
        # Every hot spot flickers and wanders with whole numbers of turns a period.
        self.turns = rng.integers(1, 4, (CORES, 3)) * max(1, period // 40)
        self.phases = rng.random((CORES, 3))
        self.places = np.linspace(-0.75, 0.75, CORES) + rng.uniform(-0.1, 0.1, CORES)

        self.noises = [LoopingNoise(min(size, GUST_PX), f, 2.4, 1.5 * period / 24, rng, (-2, 0)) for f in (4.0, 9.0)]

    def step(self) -> Tensor:
        """Advance one frame; returns smoke and temperature, float32 [2, size, size] on the device."""
        plume = self.plume
        carried = self._carried(torch.cat((self.matter, self.velocity)))
        self.matter, velocity = carried[:2], carried[2:]
        source, push = self._source()
        smoke = torch.maximum(self.matter[0] * self.thinning * plume.fading, source)
        heat = torch.maximum((self.matter[1] - plume.cooling).clamp_min(0), source)
        self.matter = torch.stack((smoke, heat))
        velocity = velocity * self.calm
        velocity[0] -= plume.lift * heat
        velocity[0] = torch.where(source > 0.3, torch.minimum(velocity[0], -plume.lift * 4 * source), velocity[0])
        velocity[1] += push
        velocity += self._confinement(velocity) * plume.swirl
        self.velocity = self._projected(velocity, source * plume.expansion).clamp(-plume.speed_limit, plume.speed_limit)
        self.frame += 1
        return self.matter

    def _carried(self, fields: Tensor) -> Tensor:
        """Fields moved along the velocity; nothing comes in from outside."""
        gust_y, gust_x = self._gusts()
        back_x = (self.x - self.velocity[1] - gust_x) * 2 - 1
        back_y = (self.y - self.velocity[0] - gust_y) * 2 - 1
        grid = torch.stack((back_x, back_y), -1)[None]
        moved = functional.grid_sample(fields[None], grid, mode="bicubic", padding_mode="zeros", align_corners=False)[0]
        # Cubic interpolation overshoots: kept between what the neighbourhood holds, densities stay positive.
        moved[:2].clamp_(0, 1.5)
        return moved

    def _gusts(self) -> tuple[Tensor, Tensor]:
        """Divergence-free turbulence that comes back after one period, stronger with height above the source."""
        phase = self.frame / self.period % 1
        stream = sum(noise.at(phase) / noise.frequency for noise in self.noises) * self.plume.gusts / (2 * np.pi)
        coarse = torch.as_tensor(np.asarray(stream, np.float32), device=self.device)[None, None]
        fine = functional.interpolate(coarse, size=(self.size, self.size), mode="bicubic", align_corners=False)[0, 0]
        rise = ((0.95 - self.y) / 0.25).clamp(0, 1) * self.calm
        return _slope(fine, 1) * self.size * rise, -_slope(fine, 0) * self.size * rise

    def _source(self) -> tuple[Tensor, Tensor]:
        """Heat laid down at the base and the sideways push there, both [size, size]."""
        turn = 2 * np.pi * (self.frame / self.period * self.turns + self.phases)
        width = self.plume.width
        heat = torch.zeros_like(self.x)
        push = torch.zeros_like(self.x)
        for core in range(CORES):
            strength = 0.62 + 0.38 * np.sin(turn[core, 0])
            middle = 0.5 + width * (self.places[core] + 0.25 * np.sin(turn[core, 1]))
            blob = torch.exp(-(((self.x - middle) / (0.3 * width)) ** 2) - ((self.y - 0.955) / 0.042) ** 2)
            heat = torch.maximum(heat, strength * blob)
            push = push + blob * float(np.sin(turn[core, 2])) * self.plume.flicker
        return heat, push

    def _confinement(self, velocity: Tensor) -> Tensor:
        """Force towards swirl centres, [2, size, size]."""
        curl = _slope(velocity[0], 1) - _slope(velocity[1], 0)
        gy, gx = _slope(curl.abs(), 0), _slope(curl.abs(), 1)
        length = torch.sqrt(gx * gx + gy * gy) + 1e-7
        return torch.stack((-gx / length * curl, gy / length * curl))

    def _projected(self, velocity: Tensor, divergence: Tensor) -> Tensor:
        """The nearest field with the wanted divergence (but for its mean), exact on the torus."""
        spectrum = torch.fft.rfft2(velocity)
        wanted = torch.fft.rfft2(divergence) / (2j * torch.pi * self.size)
        pressure = (self.ky * spectrum[0] + self.kx * spectrum[1] - wanted) / self.k2
        free = torch.stack((spectrum[0] - self.ky * pressure, spectrum[1] - self.kx * pressure))
        projected: Tensor = torch.fft.irfft2(free, s=(self.size, self.size))
        return projected


def _slope(field: Tensor, axis: int) -> Tensor:
    """Central difference on a torus."""
    return (torch.roll(field, -1, axis) - torch.roll(field, 1, axis)) * 0.5
