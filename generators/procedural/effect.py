"""`sound.effect`: impacts, footsteps, weather, machines and interface sounds at 48 kHz."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from engines.assets import Array, FloatArray, Sound
from generators.events import Context, Event, Note, Preview, Produced, Progress, Request
from generators.procedural import effect_ambiences, effect_impacts
from generators.procedural.effect_words import KINDS, Reading, read
from generators.procedural.small_specs import EffectParams
from generators.procedural.synthesis import RATE_HZ, Voice, finished, trimmed

UNKNOWN = "click"
TITLE_CHARACTERS = 60
"""Of a long prompt, so much is the sound's name."""
ONE_SHOTS: dict[str, Callable[[Voice], Array]] = {
    **{material: partial(effect_impacts.impact, material=material) for material in effect_impacts.BODIES},
    "footstep": effect_impacts.footsteps,
    "whoosh": effect_impacts.whoosh,
    "click": effect_impacts.click,
    "explosion": effect_impacts.explosion,
}
AMBIENCES: dict[str, Callable[[Voice], Array]] = {
    "wind": effect_ambiences.wind,
    "rain": effect_ambiences.rain,
    "fire": effect_ambiences.fire,
    "water": effect_ambiences.water,
    "engine": effect_ambiences.engine,
    "hum": effect_ambiences.hum,
}


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield one sound a variation, float32 [T, 1 or 2] at 48 kHz, peak -1 dBFS; ambiences loop without a click."""
    params = request.params
    if not isinstance(params, EffectParams):
        raise TypeError(f"sound.effect wants EffectParams, got {type(params).__name__}")
    reading = read(params.prompt)
    kind, notes = chosen_kind(params, reading)
    for text in notes:
        yield Note(text)
    loops = kind in AMBIENCES
    for take in range(params.variations):
        context.check()
        rng = np.random.default_rng((request.seed, take) if take else request.seed)
        voice = _voice(params, reading, rng, context)
        samples = (AMBIENCES if loops else ONE_SHOTS)[kind](voice)
        context.check()
        if not loops:
            samples = trimmed(samples)
        # What still rings when its time is up is faded slowly, not cut.
        fade_secs = 0.02 if len(samples) < voice.length else params.duration_secs / 3
        sound = finished(samples, loops, 1 if params.channels == "mono" else 2, fade_secs)
        yield Progress((take + 1) / params.variations, kind)
        if context.wants_previews and take == 0:
            yield Preview(spectrogram(sound))
        name = "result" if take == 0 else f"take_{take + 1}"
        title = " ".join(params.prompt.split())[:TITLE_CHARACTERS].rstrip() if reading.kind == kind else ""
        called = f"{title or kind} {take + 1}"
        yield Produced(Sound(samples=sound, rate_hz=RATE_HZ, loops=loops, name=called), name)


def chosen_kind(params: EffectParams, reading: Reading) -> tuple[str, list[str]]:
    """The sound to make, and what the artist should be told about the choice."""
    if params.kind != "auto":
        if reading.kind not in (None, params.kind):
            return params.kind, [
                f"The prompt names {reading.kind}, but the kind is set to {params.kind}: that was made."
            ]
        return params.kind, []
    if reading.kind is not None:
        words = ", ".join(f"“{word}”" for word in reading.ignored)
        return reading.kind, [f"Made {reading.kind}; {words} changed nothing."] if words else []
    known = ", ".join(KINDS)
    if not params.prompt.strip():
        return UNKNOWN, [f"No prompt and no kind: made a {UNKNOWN}. Known sounds: {known}."]
    return UNKNOWN, [f"No known sound in “{params.prompt.strip()}”: made a {UNKNOWN}. Known sounds: {known}."]


def _voice(params: EffectParams, reading: Reading, rng: np.random.Generator, context: Context) -> Voice:
    """Sliders, moved by the prompt's adjectives."""

    def moved(slider: str, value: float) -> float:
        return float(np.clip(value + reading.slides.get(slider, 0.0), 0, 1))

    return Voice(
        size=moved("size", params.size),
        hardness=moved("hardness", params.hardness),
        damping=moved("damping", params.damping),
        intensity=moved("intensity", params.intensity),
        length=max(RATE_HZ // 20, round(params.duration_secs * RATE_HZ)),
        steps=params.steps,
        ground=reading.ground or params.ground,
        rng=rng,
        check=context.check,
    )


def spectrogram(samples: FloatArray, wide: int = 256, high: int = 128) -> Array:
    """Picture of a sound, uint8 [high, wide, 3]: time to the right, logarithmic frequency 40 Hz..20 kHz upwards."""
    mono = np.pad(samples.mean(1), 1024)
    starts = np.linspace(0, len(mono) - 2048, wide).astype(np.intp)
    frames = mono[starts[:, None] + np.arange(2048)] * np.hanning(2048)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    rows = np.clip(np.round(40 * 500 ** np.linspace(1, 0, high) * 2048 / RATE_HZ), 1, 1024).astype(np.intp)
    level = np.clip((10 * np.log10(power[:, rows].T / max(float(power.max()), 1e-20) + 1e-9) + 80) / 80, 0, 1)
    colour = np.stack((level**1.1, level**2 * 0.85, np.sin(np.pi * level * 0.75) * 0.7), -1)
    return (np.clip(colour, 0, 1) * 255).astype(np.uint8)
