"""One-shot sounds: blows on materials, footsteps, whooshes, clicks and explosions; float64 [T, 2] each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engines.assets import Array
from generators.procedural.synthesis import (
    RATE_HZ,
    Voice,
    band,
    modes,
    moving_band,
    scattered,
    shaped_noise,
    slow_curve,
    stereo_noise,
    swell,
)


@dataclass(frozen=True)
class Body:
    """How a struck thing rings.

    `ratios` are its natural frequencies over the lowest (bars: Fletcher & Rossing, "The Physics of Musical
    Instruments", 2.9; plates are denser). Decay follows Rayleigh damping: 1/τ = `loss` + `shine`·(f/kHz)².
    """

    ratios: tuple[float, ...]
    low_hz: float
    high_hz: float
    loss: float
    shine: float
    knock: float
    """Level of the noise of the contact itself."""
    spread: float
    """How unevenly the modes ring, 0..1."""


PLATE = tuple(
    float((m * m + 1.37 * n * n) / 2.37) for m, n in sorted(
        ((m, n) for m in range(1, 7) for n in range(1, 6)), key=lambda p: p[0] ** 2 + 1.37 * p[1] ** 2
    )
)  # fmt: skip
BODIES = {
    "wood": Body((1, 2.572, 4.644, 6.984, 9.723, 12.0), 95, 900, loss=24, shine=26, knock=0.7, spread=0.3),
    "metal": Body(PLATE, 110, 1500, loss=1.3, shine=0.11, knock=0.25, spread=0.6),
    "glass": Body((1, 2.32, 4.25, 6.63, 9.38, 12.22), 700, 4200, loss=5.5, shine=0.45, knock=0.2, spread=0.4),
    "stone": Body(
        (1, 1.47, 2.09, 2.56, 3.39, 4.08, 5.2, 6.6), 260, 1900, loss=75, shine=6, knock=1.1, spread=0.5
    ),
}  # fmt: skip


def impact(voice: Voice, material: str) -> Array:
    """One blow. Size sets the pitch, hardness how many modes the contact reaches, damping how soon they die."""
    body, rng = BODIES[material], voice.rng
    lowest = body.high_hz * (body.low_hz / body.high_hz) ** voice.size * rng.uniform(0.96, 1.04)
    ratios = np.array(body.ratios)
    frequency = lowest * ratios * (1 + 0.012 * rng.standard_normal(len(ratios)))
    gains = ratios**-0.45 * np.exp(body.spread * rng.standard_normal(len(ratios)))
    if material == "metal":
        # A real plate is never quite symmetric: each mode is a pair that beats.
        frequency = np.concatenate((frequency, frequency * (1 + rng.uniform(0.0008, 0.004, len(ratios)))))
        gains = np.concatenate((gains, gains * rng.uniform(0.3, 0.9, len(ratios))))
    # The blow lasts the longer the softer it is, and excites little above the inverse of that time.
    contact_secs = 0.0035 * (0.03**voice.hardness) * (0.6 + voice.size)
    gains = gains / (1 + (frequency * contact_secs * 2.2) ** 2)
    stretch = 8.0 ** (1 - 2 * voice.damping) * (0.5 + voice.size)
    decays = stretch / (body.loss + body.shine * (frequency / 1000) ** 2)
    ring = modes(frequency, decays, gains, voice.length, rng, voice.check)
    ring /= max(float(np.abs(ring).max()), 1e-9)
    high = 900 + 9000 * voice.hardness
    knock = shaped_noise(RATE_HZ // 8, band(high / 8, high), rng) * swell(
        RATE_HZ // 8, 0.0004, 0.003 + 0.006 * voice.size
    )
    thump_hz = 180 * 0.35**voice.size
    t = np.arange(RATE_HZ // 4) / RATE_HZ
    thump = np.sin(2 * np.pi * thump_hz * t) * np.exp(-t / 0.03) * (0.25 + 0.5 * voice.size)
    body_noise = scattered(
        voice.length, [(0, knock * body.knock * 0.22, 0.5), (0, thump * min(1.0, body.knock + 0.2), 0.5)], wrap=False
    )
    return ring + body_noise


def footsteps(voice: Voice) -> Array:
    """A walk: heel and toe of every step on the chosen ground, at a pace that the intensity sets."""
    gap_secs = 0.78 - 0.42 * voice.intensity
    per = int(gap_secs * RATE_HZ)
    length = min(voice.length, per * voice.steps + RATE_HZ // 3)
    out = np.zeros((length, 2))
    for step in range(voice.steps):
        voice.check()
        start = int(step * per + per * 0.05 * voice.rng.standard_normal()) if step else 0
        if start >= length:
            break
        wave = _one_step(voice)
        side = 0.5 + (0.06 if step % 2 else -0.06)
        pan = np.array([np.cos(side * np.pi / 2), np.sin(side * np.pi / 2)]) * voice.rng.uniform(0.8, 1.0) * np.sqrt(2)
        room = min(len(wave), length - start)
        out[start : start + room] += wave[:room] * pan
    return out


def _one_step(voice: Voice) -> Array:
    """Heel, then toe about 90 ms later, float64 [T, 2]."""
    length = RATE_HZ // 2
    rng = voice.rng
    out = np.zeros((length, 2))
    heavy = 0.6 + 0.8 * voice.size
    for delay_secs, strength in ((0.0, 1.0), (rng.uniform(0.07, 0.12), 0.55)):
        start = int(delay_secs * RATE_HZ)
        part = _contact(replace(voice, length=length - start), strength)
        t = np.arange(length - start) / RATE_HZ
        thump = np.sin(2 * np.pi * (78 - 20 * voice.size) * t) * swell(len(t), 0.004, 0.035) * heavy * strength
        out[start:] += part + (thump * THUMPS[voice.ground])[:, None]
    return out


THUMPS = {"gravel": 0.5, "wood": 0.9, "concrete": 0.45, "grass": 0.35, "snow": 0.3, "metal": 0.5}


def _contact(voice: Voice, strength: float) -> Array:
    """The sound of the ground under one contact."""
    rng, length = voice.rng, voice.length
    match voice.ground:
        case "gravel" | "snow":
            snow = voice.ground == "snow"
            grains = []
            count = 150 if snow else 60
            low, high = (700, 4200) if snow else (1300, 8000)
            for _ in range(count):
                at = int(abs(rng.normal(0.03, 0.04)) * RATE_HZ)
                size = int(rng.uniform(60, 200) if snow else rng.uniform(120, 900))
                wave = shaped_noise(size * 2, band(low, high), rng) * swell(size * 2, 0.0006, size / RATE_HZ / 3)
                if at + 2 * size < length:
                    grains.append(
                        (at, wave * strength * rng.random() ** 2 * (0.35 if snow else 0.5), rng.uniform(0.3, 0.7))
                    )
            return scattered(length, grains, wrap=False)
        case "wood" | "metal":
            # A floor is held down along its edges: it rings far less than a free plate.
            held = 0.55 if voice.ground == "wood" else 0.97
            plank = replace(voice, size=0.75, hardness=0.35 + 0.3 * voice.hardness, damping=held)
            return impact(plank, voice.ground) * strength * 0.9
        case "concrete":
            tap = stereo_noise(length, band(600, 3000 + 4000 * voice.hardness), rng)
            return tap * (swell(length, 0.0008, 0.010) * 0.5 * strength)[:, None]
        case _:
            rustle = stereo_noise(length, band(1200, 7000), rng)
            flutter = 0.4 + 0.6 * slow_curve(length, 24, rng)
            return rustle * (swell(length, 0.02, 0.05) * flutter * 0.25 * strength)[:, None]


def whoosh(voice: Voice) -> Array:
    """Something passes: the band rises and falls, the sound moves from left to right."""
    length = min(voice.length, int((0.25 + 1.1 * voice.size) * RATE_HZ))
    at = np.linspace(-1, 1, length)
    peak_hz = 500 * 6 ** (1 - voice.size) * (0.7 + 0.6 * voice.intensity)
    centre = peak_hz * 0.3 * (1 / 0.3) ** np.exp(-(((at - 0.05) / 0.42) ** 2))
    air = moving_band(length, centre, 0.9, voice.rng, voice.check)
    loud = np.exp(-(((at - 0.08) / (0.34 + 0.1 * voice.damping)) ** 2)) * (1 - at**8)
    side = 0.5 + 0.38 * np.tanh(at * 2)
    pan = np.stack((np.cos(side * np.pi / 2), np.sin(side * np.pi / 2)), -1)
    passed: Array = air * loud[:, None] * pan
    return passed


def click(voice: Voice) -> Array:
    """An interface tick: two short tones with a hint of body; hardness makes it crisp."""
    length = min(voice.length, RATE_HZ // 5)
    t = np.arange(length) / RATE_HZ
    tone_hz = 2600 * 0.3**voice.size
    decay = 0.006 + 0.03 * (1 - voice.damping) ** 2
    tone = np.sin(2 * np.pi * tone_hz * t * (1 + 0.25 * np.exp(-t / 0.004))) * np.exp(-t / decay)
    tone += 0.45 * np.sin(2 * np.pi * tone_hz * 1.505 * t) * np.exp(-t / (decay * 0.6))
    tick = shaped_noise(length, band(2500, 9000), voice.rng) * swell(length, 0.0002, 0.0018) * 0.5 * voice.hardness
    mono = (tone + tick) * np.minimum(t / 0.0006, 1)
    return np.repeat(mono[:, None], 2, axis=1)


def explosion(voice: Voice) -> Array:
    """A crack, a falling boom, and a rumble whose brightness dies before its loudness; debris at the end."""
    length = min(voice.length, int((1.6 + 3.4 * voice.size) * RATE_HZ))
    rng, t = voice.rng, np.arange(length) / RATE_HZ
    tail = 0.25 + 0.85 * voice.size
    crack = (
        stereo_noise(length, band(400, 9000), rng) * swell(length, 0.001, 0.035)[:, None] * (0.4 + 0.6 * voice.hardness)
    )
    sweep = 42 + 90 * np.exp(-t / 0.09)
    boom = np.sin(2 * np.pi * np.cumsum(sweep) / RATE_HZ) * swell(length, 0.004, tail * 0.6)
    centre = 70 + 1800 * np.exp(-t / (0.18 + 0.25 * voice.size))
    rumble = (
        moving_band(length, centre, 1.4, rng, voice.check)
        * (swell(length, 0.006, tail) * (0.55 + 0.45 * slow_curve(length, int(14 * length / RATE_HZ), rng)))[:, None]
    )
    debris = []
    for _ in range(int(60 * voice.intensity)):
        at = int(rng.uniform(0.25, 0.85) * length)
        size = int(rng.uniform(200, 1400))
        wave = shaped_noise(size, band(800, 5000), rng) * swell(size, 0.0008, size / RATE_HZ / 4)
        debris.append((at, wave * 0.16 * rng.random() ** 2 * (1 - at / length), rng.uniform(0.15, 0.85)))
    mixed = crack * 0.5 + boom[:, None] * 1.3 + rumble * 0.9 + scattered(length, debris, wrap=False)
    # Air and ears overload: soft clipping glues the layers together.
    driven: Array = np.tanh(mixed * (1.0 + 1.5 * voice.intensity))
    return driven
