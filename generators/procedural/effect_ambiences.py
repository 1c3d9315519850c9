"""Sounds that go on and loop without a click: every part is periodic over the length; float64 [T, 2] each."""

from __future__ import annotations

import numpy as np

from engines.assets import Array
from generators.procedural.synthesis import (
    RATE_HZ,
    Voice,
    band,
    scattered,
    shaped_noise,
    slow_curve,
    stereo_noise,
    swell,
)


def _secs(voice: Voice) -> float:
    return voice.length / RATE_HZ


def wind(voice: Voice) -> Array:
    """Gusts that open the sound upwards as they swell, and a faint whistle at their height."""
    rng, length = voice.rng, voice.length
    gust = slow_curve(length, max(2, round(_secs(voice) * (0.5 + voice.intensity))), rng)
    gust = 0.25 + 0.75 * gust ** (1.6 - 0.8 * voice.intensity)
    shift = 2 ** (0.8 - 1.6 * voice.size)
    out = np.zeros((length, 2))
    for number, (low, high) in enumerate(((70, 220), (180, 520), (400, 1100), (900, 2600), (2200, 6000))):
        voice.check()
        loud = 10 ** (-(0.42 - 0.2 * voice.intensity) * number)
        layer = stereo_noise(length, band(low * shift, high * shift), rng)
        out += layer * (loud * gust ** (1 + 0.7 * number))[:, None]
    for _ in range(2):
        voice.check()
        whistle_hz = rng.uniform(420, 900) * shift
        tone = shaped_noise(length, band(whistle_hz * 0.985, whistle_hz * 1.015), rng)
        place = rng.uniform(0.25, 0.75)
        pan = np.array([np.cos(place * np.pi / 2), np.sin(place * np.pi / 2)])
        out += (tone * gust**4 * 0.22 * voice.intensity)[:, None] * pan
    return out


def rain(voice: Voice) -> Array:
    """A hiss of far drops and single near ones; more intensity is more of both."""
    rng, length = voice.rng, voice.length
    slow = 0.85 + 0.15 * slow_curve(length, max(2, round(_secs(voice))), rng)
    hiss = stereo_noise(length, lambda f: band(1200, 11000)(f) * (1 + 1500 / np.maximum(f, 200)) ** 0.5, rng)
    voice.check()
    low = stereo_noise(length, band(200, 900), rng)
    voice.check()
    grains = []
    for _ in range(int((40 + 460 * voice.intensity) * _secs(voice))):
        size = int(rng.uniform(60, 420) * (0.6 + voice.size))
        centre = rng.uniform(1500, 8000) * (1.3 - 0.6 * voice.size)
        t = np.arange(size) / RATE_HZ
        wave = np.sin(2 * np.pi * centre * t + rng.uniform(0, 6.28)) * swell(size, 0.0004, size / RATE_HZ / 5)
        grains.append((int(rng.integers(length)), wave * rng.random() ** 3 * 1.5, rng.uniform(0.05, 0.95)))
        if len(grains) % 512 == 0:
            voice.check()
    drops = scattered(length, grains, wrap=True)
    bed = hiss * (0.16 + 0.3 * voice.intensity) + low * 0.1 * voice.intensity
    return bed * slow[:, None] + drops * (0.75 - 0.35 * voice.intensity)


def fire(voice: Voice) -> Array:
    """A low roar that breathes, a hiss, and crackles in clusters of which some pop."""
    rng, length = voice.rng, voice.length
    breath = 0.5 + 0.5 * slow_curve(length, max(3, round(_secs(voice) * 5)), rng)
    roar = (
        stereo_noise(length, band(55, 330 + 200 * voice.intensity), rng)
        * (breath * (0.3 + 0.7 * voice.intensity))[:, None]
    )
    voice.check()
    hiss = stereo_noise(length, band(2500, 9000), rng) * (0.05 + 0.05 * voice.intensity)
    voice.check()
    busy = slow_curve(length, max(2, round(_secs(voice) * 2)), rng) ** 2
    grains = []
    for _ in range(int((14 + 50 * voice.intensity) * _secs(voice))):
        at = int(rng.integers(length))
        if busy[at] < rng.random() * 0.8:
            continue
        pop = rng.random() < 0.08
        size = int(rng.uniform(700, 2000) if pop else rng.uniform(60, 420))
        low = rng.uniform(500, 1200) if pop else rng.uniform(1500, 5000)
        wave = shaped_noise(size * 2, band(low, low * 3), rng) * swell(size * 2, 0.0002, size / RATE_HZ / 3)
        grains.append((at, wave * (1.1 if pop else 0.25 + rng.random() ** 2), rng.uniform(0.2, 0.8)))
    return roar * 0.55 + hiss + scattered(length, grains, wrap=True) * 0.8


def water(voice: Voice) -> Array:
    """A stream: thousands of bubbles, each a short sine that rises as it nears the surface, over a soft rush.

    Bubble pitch and damping: Minnaert (1933), f ≈ 3.26 / radius in metres; loss and rise: van den Doel, "Physically
    based models for liquid sounds" (2005).
    """
    rng, length = voice.rng, voice.length
    grains = []
    for _ in range(int((60 + 340 * voice.intensity) * _secs(voice))):
        radius_mm = (0.9 + 5.5 * voice.size) * np.exp(0.45 * rng.standard_normal())
        pitch = float(np.clip(3260 / radius_mm, 150, 9000))
        radius_m = radius_mm / 1000
        loss = 0.13 / radius_m + 0.0072 * radius_m**-1.5
        size = min(int(RATE_HZ * 5 / loss), RATE_HZ // 4)
        t = np.arange(size) / RATE_HZ
        rising = pitch * (t + 0.5 * rng.uniform(0.2, 1.4) * loss * t * t * 0.1)
        wave = np.sin(2 * np.pi * rising) * np.exp(-loss * t) * np.minimum(t / 0.001, 1)
        loud = rng.random() ** 2.5 * (radius_mm / 3) ** 0.5
        grains.append((int(rng.integers(length)), wave * loud, rng.uniform(0.15, 0.85)))
        if len(grains) % 256 == 0:
            voice.check()
    bubbles = scattered(length, grains, wrap=True)
    rush = stereo_noise(length, band(350, 2600 + 3500 * voice.intensity), rng)
    swirl = 0.7 + 0.3 * slow_curve(length, max(2, round(_secs(voice) * 3)), rng)
    mixed: Array = bubbles * 0.8 + rush * (swirl * (0.06 + 0.25 * voice.intensity**1.5))[:, None]
    return mixed


def engine(voice: Voice) -> Array:
    """A piston engine at a steady load: firing pulses, uneven by cylinder, through the resonances of an exhaust."""
    rng, length = voice.rng, voice.length
    fire_hz = (22 + 95 * voice.intensity) * 2 ** (0.7 - 1.4 * voice.size)
    cylinders = 4
    cycles = max(1, round(fire_hz / cylinders * _secs(voice)))
    at = np.arange(length) / length * cycles * cylinders
    wander = 0.06 * (slow_curve(length, max(1, round(_secs(voice) * 2)), rng) - 0.5)
    phase = at + wander
    uneven = 1 + 0.25 * rng.standard_normal(cylinders)
    which = np.floor(phase).astype(np.intp) % cylinders
    part = phase - np.floor(phase)
    pulse = uneven[which] * (np.exp(-part * (5 + 6 * voice.hardness)) - np.exp(-part * 40))
    frequency = np.fft.rfftfreq(length, 1 / RATE_HZ)
    pipe = 0.12 + sum(
        gain * np.exp(-(((np.log2(np.maximum(frequency, 1) / centre)) / width) ** 2))
        for centre, width, gain in ((95, 1.0, 1.0), (260, 0.6, 0.7), (900, 0.9, 0.22), (2600, 1.0, 0.08))
    )
    pipe = pipe / (1 + (frequency / 4500) ** 2)
    voice.check()
    tone = np.fft.irfft(np.fft.rfft(pulse) * pipe, length)
    tone /= max(float(np.abs(tone).max()), 1e-9)
    clatter = (
        stereo_noise(length, band(900, 5000), rng) * (0.05 + 0.05 * pulse / max(float(pulse.max()), 1e-9))[:, None]
    )
    driven: Array = np.tanh(1.4 * tone)[:, None] + clatter * (0.4 + voice.intensity)
    return driven


def hum(voice: Voice) -> Array:
    """Mains hum with its overtones and a breath of noise; size lowers it, intensity makes it buzz."""
    rng, length = voice.rng, voice.length
    base_hz = 100 * 2 ** (0.5 - voice.size)
    turns = max(1, round(base_hz * _secs(voice)))
    at = 2 * np.pi * turns * np.arange(length) / length
    out = np.zeros((length, 2))
    for harmonic in range(1, 25):
        if harmonic % 8 == 0:
            voice.check()
        loud = harmonic ** -(2.2 - 1.3 * voice.intensity) * rng.uniform(0.4, 1.0)
        beat = 1 + 0.15 * np.cos(2 * np.pi * (rng.integers(1, 4) * np.arange(length) / length + rng.random()))
        for side in (0, 1):
            out[:, side] += loud * beat * np.sin(harmonic * at + rng.uniform(0, 2 * np.pi))
    return out + stereo_noise(length, band(300, 4000), rng) * 0.02
