from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from engines.assets import Array, Sound
from generators.events import Note, Preview, Produced, Request
from generators.procedural.effect import AMBIENCES, ONE_SHOTS, run, spectrogram
from generators.procedural.effect_words import read
from generators.procedural.small_specs import EffectKind, EffectParams, Ground
from generators.procedural.synthesis import PEAK, RATE_HZ, band, modes, scattered, shaped_noise, trimmed


class Quiet:
    device = "cpu"
    scratch = Path()
    wants_previews = False

    def check(self) -> None:
        pass


def made(seed: int = 1, **params: Any) -> tuple[list[Sound], list[str]]:
    params.setdefault("duration_secs", 1.5)
    events = list(run(Request(EffectParams(**params), seed), Quiet()))
    sounds = [event.asset for event in events if isinstance(event, Produced)]
    assert all(isinstance(sound, Sound) for sound in sounds)
    return sounds, [event.text for event in events if isinstance(event, Note)]  # type: ignore[return-value]


def centroid_hz(sound: Sound) -> float:
    power = np.abs(np.fft.rfft(sound.samples.mean(1))) ** 2
    return float((power * np.fft.rfftfreq(len(sound.samples), 1 / RATE_HZ)).sum() / power.sum())


def ring_secs(sound: Sound) -> float:
    """Time until the energy that is left is 1 % of the whole."""
    left = np.cumsum((sound.samples.astype(np.float64) ** 2).sum(1)[::-1])[::-1]
    return float(np.argmax(left < 0.01 * left[0])) / RATE_HZ


def test_every_declared_kind_is_made() -> None:
    assert set(get_args(EffectKind)) - {"auto"} == set(ONE_SHOTS) | set(AMBIENCES)


@pytest.mark.parametrize("channels", ["mono", "stereo"])
@pytest.mark.parametrize("kind", [*ONE_SHOTS, *AMBIENCES])
def test_every_sound_is_clean(kind: str, channels: str) -> None:
    (sound,), notes = made(kind=kind, channels=channels)
    assert notes == []
    samples = sound.samples
    assert samples.dtype == np.float32
    assert samples.shape[1] == (1 if channels == "mono" else 2)
    assert sound.rate_hz == RATE_HZ
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() == pytest.approx(PEAK, rel=1e-4)
    assert np.abs(samples.mean(0)).max() < 1e-4
    assert np.sqrt((samples**2).mean()) > 0.02
    assert sound.loops == (kind in AMBIENCES)
    if not sound.loops:
        assert np.abs(samples[[0, -1]]).max() < 1e-6
        assert len(samples) <= 1.5 * RATE_HZ + 1


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", AMBIENCES)
def test_ambiences_loop_without_a_click(kind: str, seed: int) -> None:
    (sound,), _ = made(seed, kind=kind)
    assert len(sound.samples) == 1.5 * RATE_HZ
    mono = sound.samples.astype(np.float64)
    # A click is a jump in the signal or in its slope: at the joint neither is beyond what happens inside.
    around = np.concatenate((mono[-600:], mono[:600]))
    for order in (1, 2):
        inside = np.abs(np.diff(mono, n=order, axis=0))
        joint = np.abs(np.diff(around, n=order, axis=0))[598 - order : 601]
        assert joint.max() <= np.quantile(inside, 0.9995) * 1.5
    # Nor does the loudness jump.
    loudness = [np.sqrt((part**2).mean()) for part in (mono[-4800:], mono[:4800])]
    assert 0.4 < loudness[0] / loudness[1] < 2.5


@pytest.mark.parametrize("ground", get_args(Ground))
def test_every_ground_gives_that_many_steps(ground: str) -> None:
    (sound,), _ = made(kind="footstep", ground=ground, steps=3, duration_secs=4.0)
    level = np.abs(sound.samples).max(1)
    blocks = level[: len(level) // 480 * 480].reshape(-1, 480).max(1)
    loud = np.flatnonzero(blocks > 0.2 * blocks.max())
    # Steps are at least 0.3 s apart: gaps between loud blocks count them.
    assert 1 + (np.diff(loud) > 18).sum() == 3


@pytest.mark.parametrize("kind", ["wood", "metal", "glass", "stone"])
def test_sliders_do_what_they_say_to_a_blow(kind: str) -> None:
    def blow(**sliders: Any) -> Sound:
        return made(kind=kind, duration_secs=3.0, **sliders)[0][0]

    assert centroid_hz(blow(size=0.1)) > 1.5 * centroid_hz(blow(size=0.9))
    assert centroid_hz(blow(hardness=1.0)) > centroid_hz(blow(hardness=0.0))
    assert ring_secs(blow(damping=0.1)) > 1.5 * ring_secs(blow(damping=0.9))


def test_materials_differ_as_they_should() -> None:
    blows = {kind: made(kind=kind, duration_secs=3.0)[0][0] for kind in ("wood", "metal", "glass", "stone")}
    assert ring_secs(blows["metal"]) > 3 * ring_secs(blows["wood"])
    assert ring_secs(blows["stone"]) < ring_secs(blows["glass"])
    assert centroid_hz(blows["glass"]) > 2 * centroid_hz(blows["wood"])


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("heavy metal clang", "metal"),
        ("Footsteps on snow", "footstep"),
        ("a GENTLE breeze", "wind"),
        ("downpour of rain", "rain"),
        ("campfire crackle", "fire"),
        ("babbling brook", "water"),
        ("sword swish", "whoosh"),
        ("menu button", "click"),
        ("grenade blast", "explosion"),
        ("truck idle", "engine"),
        ("mains hum", "hum"),
        ("knock on a wooden door", "wood"),
        ("steps on a wooden floor", "footstep"),
        ("Schritte im Schnee", "footstep"),
        ("Tür", "wood"),
    ],
)
def test_prompts_pick_the_sound(prompt: str, kind: str) -> None:
    assert read(prompt).kind == kind
    (sound,), notes = made(prompt=prompt)
    assert sound.name == f"{prompt} 1"
    assert notes == []


def test_prompts_move_the_sliders_and_choose_the_ground() -> None:
    assert read("running on gravel").ground == "gravel"
    assert read("tiny soft").slides == {"size": -0.45, "hardness": -0.4}
    big, small = (made(prompt=f"{word} metal hit", duration_secs=3.0)[0][0] for word in ("huge", "tiny"))
    assert centroid_hz(big) < centroid_hz(small)


def test_words_that_change_nothing_are_named() -> None:
    _, notes = made(prompt="heavy rain on a tin roof")
    assert notes == ["Made rain; “tin”, “roof” changed nothing."]
    assert read("Schritte im Schnee").ground == "snow"


def test_what_is_not_known_is_said() -> None:
    sounds, notes = made(prompt="purple monday")
    assert sounds[0].name.startswith("click")
    assert "purple monday" in notes[0] and "thunder" not in notes[0] and "wind" in notes[0]
    assert "No prompt" in made()[1][0]
    assert "names rain" in made(prompt="rain", kind="fire")[1][0]


def test_takes_differ_and_seeds_repeat() -> None:
    takes, _ = made(kind="stone", variations=3)
    again, _ = made(kind="stone", variations=3)
    assert len(takes) == 3
    for one, other in zip(takes, again, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
    shortest = min(len(take.samples) for take in takes)
    assert not np.array_equal(takes[0].samples[:shortest], takes[1].samples[:shortest])


def test_modes_are_decaying_sines() -> None:
    rng = np.random.default_rng(0)
    wave = modes(np.array([440.0]), np.array([0.2]), np.array([1.0]), RATE_HZ, rng, lambda: None)
    t = np.arange(RATE_HZ) / RATE_HZ
    want = np.exp(-t / 0.2) * np.sin(2 * np.pi * 440 * t)
    np.testing.assert_allclose(np.hypot(wave[:, 0], wave[:, 1]), np.abs(want), atol=1e-6)


def test_shaped_noise_wraps_and_has_its_band() -> None:
    noise = shaped_noise(RATE_HZ, band(1000, 2000), np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, rel=1e-6)
    power = np.abs(np.fft.rfft(noise)) ** 2
    assert power[800:2600].sum() > 0.8 * power.sum()


def test_grains_wrap_and_silence_is_trimmed() -> None:
    ones: Array = np.ones(10)
    around = scattered(20, [(15, ones, 0.0)], wrap=True)
    np.testing.assert_allclose(around[:, 0], [1] * 5 + [0] * 10 + [1] * 5)
    cut = scattered(20, [(15, ones, 0.0)], wrap=False)
    np.testing.assert_allclose(cut[:, 0], [0] * 15 + [1] * 5)
    tail = np.zeros((RATE_HZ, 2))
    tail[:100] = 1
    assert len(trimmed(tail)) == 99 + RATE_HZ // 50


def test_the_preview_is_a_spectrogram_with_high_notes_above() -> None:
    t = np.arange(RATE_HZ) / RATE_HZ
    rows = [
        int(spectrogram(np.sin(2 * np.pi * hz * t)[:, None].astype(np.float32)).sum(-1).mean(1).argmax())
        for hz in (200, 2000, 12000)
    ]
    assert rows[0] > rows[1] > rows[2]
    context = Quiet()
    context.wants_previews = True
    events = list(run(Request(EffectParams(kind="wood"), 1), context))
    assert sum(isinstance(event, Preview) for event in events) == 1
