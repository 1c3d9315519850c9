"""Building blocks of synthetic sound: modes, shaped noise, grains, and the finish that every sound gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.assets import Array, FloatArray
from generators.procedural.lattice_noise import Check

RATE_HZ = 48_000
PEAK = 10 ** (-1 / 20)
"""-1 dBFS."""
CUTOFF_HZ = 22.0
"""Below this nothing is heard: it is removed, and any constant part with it."""


@dataclass(frozen=True, eq=False)
class Voice:
    """What a sound is made from: sliders 0..1, the length, randomness, and the word for cancelling."""

    size: float
    hardness: float
    damping: float
    intensity: float
    length: int
    """Samples of an ambience, and the most that a one-shot may have."""
    steps: int
    ground: str
    rng: np.random.Generator
    check: Check

    def secs(self) -> Array:
        """Times of the samples, float64 [length]."""
        return np.arange(self.length) / RATE_HZ


def modes(
    frequencies: Array, decays: Array, gains: Array, length: int, rng: np.random.Generator, check: Check
) -> Array:
    """Sum of decaying sines, float64 [length, 2]; each mode stands a little elsewhere between left and right.

    `decays` are the seconds to 1/e. Every sine is made by the recurrence of a rotating complex number, in blocks.
    """
    out = np.zeros((length, 2))
    places = rng.uniform(0.35, 0.65, len(frequencies))
    for frequency, decay, gain, place in zip(frequencies, decays, gains, places, strict=True):
        if frequency > 0.45 * RATE_HZ or gain == 0:
            continue
        check()
        # Past 14 time constants a mode is below -120 dB.
        used = min(length, int(14 * decay * RATE_HZ) + 64)
        t = np.arange(used) / RATE_HZ
        wave = gain * np.exp(-t / decay) * np.sin(2 * np.pi * frequency * t)
        out[:used, 0] += wave * np.cos(place * np.pi / 2)
        out[:used, 1] += wave * np.sin(place * np.pi / 2)
    return out


def shaped_noise(length: int, gain_at: Callable[[Array], Array], rng: np.random.Generator) -> Array:
    """Gaussian noise that wraps, with amplitude `gain_at(frequency in Hz)`, float64 [length], RMS 1."""
    frequency = np.fft.rfftfreq(length, 1 / RATE_HZ)
    spectrum = (rng.standard_normal(len(frequency)) + 1j * rng.standard_normal(len(frequency))) * gain_at(frequency)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, length)
    loud: Array = noise / max(float(np.sqrt((noise**2).mean())), 1e-12)
    return loud


def band(low_hz: float, high_hz: float) -> Callable[[Array], Array]:
    """A bell on the logarithmic frequency axis, half power about at `low_hz` and `high_hz`."""
    middle, width = np.log2(low_hz * high_hz) / 2, np.log2(high_hz / low_hz) / 2

    def gain(frequency: Array) -> Array:
        shape: Array = np.exp(-0.35 * ((np.log2(np.maximum(frequency, 1)) - middle) / width) ** 2)
        return shape

    return gain


def stereo_noise(length: int, gain_at: Callable[[Array], Array], rng: np.random.Generator) -> Array:
    """Two channels of `shaped_noise`, half alike, float64 [length, 2]."""
    middle, left, right = (shaped_noise(length, gain_at, rng) for _ in range(3))
    both: Array = np.stack((middle + left, middle + right), -1) / np.sqrt(2)
    return both


def slow_curve(length: int, turns: int, rng: np.random.Generator) -> Array:
    """A smooth random curve 0..1 that wraps, with up to `turns` swings over its length, float64 [length]."""
    at = np.arange(length) / length
    total = np.zeros(length)
    for turn in range(1, max(1, turns) + 1):
        total += rng.standard_normal() / turn**0.5 * np.cos(2 * np.pi * (turn * at + rng.random()))
    spread = total.max() - total.min()
    curve: Array = (total - total.min()) / max(float(spread), 1e-12)
    return curve


def scattered(length: int, grains: list[tuple[int, Array, float]], wrap: bool) -> Array:
    """Lay short waves (start, wave [n], place 0..1 from left to right) over each other, float64 [length, 2].

    With `wrap` a grain that runs over the end goes on at the start; without, it is cut there.
    """
    out = np.zeros((length, 2))
    for start, wave, place in grains:
        pair = wave[:, None] * (np.cos(place * np.pi / 2), np.sin(place * np.pi / 2))
        room = min(len(wave), length - start)
        out[start : start + room] += pair[:room]
        if wrap and room < len(wave):
            rest = min(len(wave) - room, length)
            out[:rest] += pair[room : room + rest]
    return out


def swell(length: int, attack_secs: float, decay_secs: float) -> Array:
    """Rise in `attack_secs`, then fall to 1/e in `decay_secs`, float64 [length]."""
    t = np.arange(length) / RATE_HZ
    risen = np.minimum(t / max(attack_secs, 1e-5), 1)
    curve: Array = risen * np.exp(-np.maximum(t - attack_secs, 0) / decay_secs)
    return curve


def moving_band(length: int, centre_hz: Array, octaves: float, rng: np.random.Generator, check: Check) -> Array:
    """Noise whose band follows `centre_hz` [length], float64 [length, 2]: fixed bands faded into each other."""
    low, high = np.log2(centre_hz.min()), np.log2(centre_hz.max())
    marks = np.arange(low - octaves, high + octaves + 1e-9, max(octaves, (high - low) / 10, 0.25))
    at = np.log2(centre_hz)
    out = np.zeros((length, 2))
    for mark in marks:
        check()
        weight = np.exp(-(((at - mark) / octaves) ** 2))
        out += stereo_noise(length, band(2 ** (mark - octaves / 2), 2 ** (mark + octaves / 2)), rng) * weight[:, None]
    return out


def finished(samples: Array, loops: bool, channels: int, fade_secs: float = 0.02) -> FloatArray:
    """Free of rumble and offset, -1 dBFS peak, float32 [T, channels]; ends faded over `fade_secs` unless it loops."""
    if channels == 1:
        samples = samples.mean(1, keepdims=True)
    length = len(samples)
    if not loops:
        samples = np.concatenate((samples, np.zeros((RATE_HZ // 10, samples.shape[1]))))
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    keep = frequency**4 / (frequency**4 + CUTOFF_HZ**4)
    samples = np.fft.irfft(np.fft.rfft(samples, axis=0) * keep[:, None], len(samples), axis=0)[:length]
    if not loops:
        fade_in, fade_out = min(48, length // 4), min(round(fade_secs * RATE_HZ), length // 2)
        samples[:fade_in] *= np.linspace(0, 1, fade_in)[:, None]
        samples[length - fade_out :] *= (np.cos(np.linspace(0, np.pi, fade_out))[:, None] + 1) / 2
        # What the fades left of a constant part, taken out in a shape that is 0 at both ends.
        hump = np.sin(np.linspace(0, np.pi, length))[:, None] ** 2
        samples = samples - hump * (samples.mean(0) / hump.mean())
    loudest = float(np.abs(samples).max())
    done: FloatArray = (samples * (PEAK / loudest if loudest > 0 else 0.0)).astype(np.float32)
    return done


def trimmed(samples: Array, floor_db: float = -66.0) -> Array:
    """Without the silent tail: cut where the rest stays below `floor_db` of the peak."""
    level = np.abs(samples).max(1)
    loud = np.flatnonzero(level > level.max() * 10 ** (floor_db / 20))
    return samples[: loud[-1] + RATE_HZ // 50] if loud.size else samples
