"""What each looping clip looks like: a function from the phase of the loop to a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engines.assets import Array, FloatArray
from generators.procedural.lattice_noise import Check, sample_periodic
from generators.procedural.looping_noise import LoopingNoise
from generators.procedural.small_specs import LoopParams
from generators.procedural.water import WaveField, blur_periodic, focus

if TYPE_CHECKING:
    from generators.procedural.fluid import Plume

Scene = Callable[[float, Check], FloatArray]


@dataclass(frozen=True)
class PlumeLook:
    """A plume before the artist's sliders."""

    width: float
    lift: float
    swirl: float
    flicker: float
    cooling: float
    fading: float
    expansion: float
    gusts: float

    def scaled(self, params: LoopParams) -> Plume:
        """The plume with scale, speed and turbulence applied; a slow frame is a short step of the same flow."""
        from generators.procedural.fluid import Plume

        speed = params.speed
        return Plume(
            width=self.width * params.scale,
            lift=self.lift * speed**2,
            swirl=self.swirl * 2 * params.turbulence,
            flicker=self.flicker * speed**2 * (0.4 + 1.2 * params.turbulence),
            cooling=self.cooling * speed / params.scale**0.5,
            fading=self.fading**speed,
            expansion=self.expansion * speed,
            gusts=self.gusts * 2 * params.turbulence * speed,
        )


PLUMES = {
    "fire": PlumeLook(0.23, 0.0036, swirl=0.05, flicker=0.003, cooling=0.023, fading=0.93, expansion=0.09, gusts=0.007),
    "smoke": PlumeLook(
        0.13, 0.0024, swirl=0.02, flicker=0.002, cooling=0.004, fading=0.985, expansion=0.09, gusts=0.005
    ),
}


def plume_colour(params: LoopParams, state: Array) -> FloatArray:
    """Smoke and temperature [2, N, N] as a picture, float32 [N, N, 3 or 4], display-referred."""
    smoke, heat = state[0] * params.intensity, state[1] * params.intensity
    if params.kind == "fire":
        glow = np.clip(heat * 1.25, 0, 1.25)[..., None]
        if params.tint:
            tint = _colour(params.tint)
            colour = np.clip(glow * 1.5 * tint + np.clip(glow - 0.55, 0, 1) * 1.3, 0, 1)
        else:
            channels = (glow * 2.4, (glow - 0.13) * 1.75, (glow - 0.62) * 1.9)
            colour = np.concatenate([np.clip(c, 0, 1) for c in channels], -1)
            colour = colour ** np.array([0.8, 1.15, 1.2], np.float32)
        if not params.transparent:
            return np.asarray(colour, np.float32)
        alpha = colour.max(-1, keepdims=True)
        return np.asarray(np.concatenate((colour / np.maximum(alpha, 1e-3), alpha), -1), np.float32)
    density = 1 - np.exp(-3.6 * np.maximum(smoke, 0) ** 1.2)
    # Light from the upper left: the density towards it, smeared, shades what lies behind.
    towards = np.roll(smoke, (len(smoke) // 40, len(smoke) // 50), (0, 1))
    shade = np.exp(-1.1 * np.clip(0.6 * towards + 0.4 * np.roll(towards, (len(smoke) // 30, 0), (0, 1)), 0, 3))
    tint = _colour(params.tint) if params.tint else np.array([0.82, 0.83, 0.86], np.float32)
    body = tint * (0.28 + 0.72 * shade[..., None])
    if params.transparent:
        return np.asarray(np.concatenate((body, density[..., None]), -1), np.float32)
    ground = np.array([0.07, 0.075, 0.09], np.float32)
    return np.asarray((ground + (body - ground) * density[..., None]), np.float32)


def scene(params: LoopParams, rng: np.random.Generator) -> Scene:
    """The drawing function of every kind that is not a plume: phase 0..1 to float32 [size, size, 3 or 4]."""
    return {"caustics": _caustics, "clouds": _clouds, "plasma": _plasma, "ripples": _ripples}[params.kind](params, rng)


def _colour(code: str) -> FloatArray:
    """`#rrggbb` as display-referred float32 [3]."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)


def _loop_secs(params: LoopParams) -> float:
    return params.frames / params.fps


def _caustics(params: LoopParams, rng: np.random.Generator) -> Scene:
    size = params.size_px
    frequency = 4.5 / params.scale
    water = WaveField(size, frequency, max(1.0, 0.75 * params.speed * _loop_secs(params)), rng)
    deep = _colour(params.tint) if params.tint else np.array([0.10, 0.42, 0.52], np.float32)
    reach = size * 0.055 / frequency * (0.6 + 0.8 * params.turbulence)

    def draw(phase: float, check: Check) -> FloatArray:
        dy, dx = water.slopes(phase)
        # Blue is refracted more than red: the filaments get coloured fringes.
        lights = []
        for spread in (0.94, 1.0, 1.06):
            check()
            lights.append(focus(dy, dx, reach * spread, 2 if size <= 256 else 1, check))
        light = blur_periodic(np.stack(lights, -1), max(0.7, size / 420))
        lit = np.maximum(light, 0) ** 1.15 * params.intensity
        colour = deep * (0.55 + 0.45 * lit) + np.clip(lit - 1.6, 0, 6) * 0.17
        return np.asarray((1 - np.exp(-1.35 * np.maximum(colour, 0))), np.float32)

    return draw


def _clouds(params: LoopParams, rng: np.random.Generator) -> Scene:
    size = params.size_px
    drift = round(params.speed * _loop_secs(params) / 2)
    turns = 0.1 * params.speed * _loop_secs(params)
    frequency = 2.2 / params.scale
    body = LoopingNoise(size, frequency, 2.05, turns, rng, (0, drift))
    bend = [LoopingNoise(size, frequency * 2, 2.0, turns, rng, (0, drift)) for _ in range(2)]
    at = np.arange(size, dtype=np.float32)
    sky = np.array([0.26, 0.47, 0.78], np.float32)
    white = _colour(params.tint) if params.tint else np.array([1.0, 0.99, 0.97], np.float32)

    def draw(phase: float, check: Check) -> FloatArray:
        reach = size / frequency * 0.05 * (0.3 + 1.4 * params.turbulence)
        dy, dx = (noise.at(phase) * reach for noise in bend)
        check()
        field = sample_periodic(body.at(phase), at[:, None] + dy, at[None] + dx)
        check()
        thick = np.maximum(field - 0.15 + 0.5 * (params.intensity - 1), 0)
        density = 1 - np.exp(-2.4 * thick)
        # The sun stands at the upper left; thickness towards it shades.
        step = max(1, size // 48)
        shadow = sum(np.roll(thick, (k * step, k * step), (0, 1)) * w for k, w in ((1, 0.5), (2, 0.3), (3, 0.2)))
        light = np.exp(-0.55 * np.maximum(shadow - 0.35 * thick, 0) - 0.22 * thick)[..., None]
        shaded = white * light + np.array([0.52, 0.58, 0.68], np.float32) * (1 - light)
        if params.transparent:
            return np.asarray(np.concatenate((shaded, density[..., None]), -1), np.float32)
        return np.asarray((sky + (shaded - sky) * density[..., None]), np.float32)

    return draw


def _plasma(params: LoopParams, rng: np.random.Generator) -> Scene:
    size = params.size_px
    turns = 0.9 * params.speed * _loop_secs(params)
    frequency = 2.0 / params.scale
    threads = [LoopingNoise(size, frequency * k, 2.9, turns, rng) for k in (1.0, 1.9)]
    glow = LoopingNoise(size, frequency, 3.0, turns, rng)
    bend = [LoopingNoise(size, frequency * 2.5, 2.4, turns, rng) for _ in range(2)]
    at = np.arange(size, dtype=np.float32)
    tint = _colour(params.tint) if params.tint else np.array([0.28, 0.42, 1.0], np.float32)

    def draw(phase: float, check: Check) -> FloatArray:
        reach = size / frequency * 0.05 * params.turbulence
        dy, dx = (noise.at(phase) * reach for noise in bend)
        y, x = at[:, None] + dy, at[None] + dx
        energy = np.zeros((size, size), np.float32)
        for noise, width, weight in zip(threads, (0.05, 0.04), (1.0, 0.5), strict=True):
            check()
            field = np.abs(sample_periodic(noise.at(phase), y, x))
            energy += weight * (width / (field + width)) ** 1.25
        check()
        energy *= (0.55 + 0.45 * np.clip(glow.at(phase) * 0.6 + 0.6, 0, 1.4)) * params.intensity
        hot = energy[..., None]
        colour = 1 - np.exp(-(tint * hot * 1.5 + np.clip(hot - 0.45, 0, 2) * 1.9))
        if params.transparent:
            alpha = colour.max(-1, keepdims=True)
            return np.asarray(np.concatenate((colour / np.maximum(alpha, 1e-3), alpha), -1), np.float32)
        return np.asarray(colour, np.float32)

    return draw


def _ripples(params: LoopParams, rng: np.random.Generator) -> Scene:
    size, secs = params.size_px, _loop_secs(params)
    drops = max(3, round(11 * params.intensity * secs / params.scale**2))
    places, starts = rng.random((drops, 2)) * size, (rng.permutation(drops) + rng.random(drops)) / drops
    strengths = rng.uniform(0.45, 1.0, drops)
    life = min(1.6 / params.speed, secs)
    front = 0.2 * params.scale * params.speed * size
    swell = WaveField(size, 3 / params.scale, max(1.0, 0.5 * params.speed * secs), rng)
    wave = 0.032 * params.scale * size
    at = np.arange(size)
    tint = _colour(params.tint) if params.tint else np.array([0.16, 0.27, 0.33], np.float32)

    def draw(phase: float, check: Check) -> FloatArray:
        height = np.zeros((size, size))
        for place, start, strength in zip(places, starts, strengths, strict=True):
            age = (phase - start) % 1 * secs
            if age >= life:
                continue
            radius = age * front
            reach = int(radius + 3 * wave) + 2
            rows = (np.arange(-reach, reach + 1) + int(place[0])) if 2 * reach < size else at
            columns = (np.arange(-reach, reach + 1) + int(place[1])) if 2 * reach < size else at
            dy = (rows - place[0] + size / 2) % size - size / 2
            dx = (columns - place[1] + size / 2) % size - size / 2
            distance = np.hypot(dy[:, None], dx[None]) - radius
            fade = strength * (1 - age / life) ** 2 / (1 + 3 * age / life) * min(1, age / 0.04)
            ring = np.cos(distance * (2 * np.pi / wave)) * np.exp(-((distance / (1.25 * wave)) ** 2)) * fade
            height[np.ix_(rows % size, columns % size)] += ring
        check()
        sy, sx = swell.slopes(phase)
        slope = 0.11 * (0.3 + params.turbulence)
        dy = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) * (0.16 * wave) + slope * sy * 0.5
        dx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * (0.16 * wave) + slope * sx * 0.5
        normal = 1 / np.sqrt(1 + dy * dy + dx * dx)
        facing = (0.5 * dy + 0.35 * dx + 0.8) * normal
        shine = np.clip((0.42 * dy + 0.3 * dx + 0.86) * normal, 0, 1) ** 60
        sky = np.array([0.62, 0.72, 0.8], np.float32)
        mirror = np.clip(0.18 + 0.9 * (facing - 0.8), 0, 0.95)[..., None]
        return np.asarray((tint * (1 - mirror) + sky * mirror + 0.5 * shine[..., None] ** 2), np.float32)

    return draw
