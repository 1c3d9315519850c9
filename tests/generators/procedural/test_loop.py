from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from engines.assets import Array, Clip
from generators.events import Cancelled, Note, Preview, Produced, Progress, Request
from generators.procedural.fluid import PlumeSimulation
from generators.procedural.loop import calmest, joined, run
from generators.procedural.loop_scenes import PLUMES
from generators.procedural.looping_noise import LoopingNoise
from generators.procedural.small_specs import LoopKind, LoopParams

KINDS = get_args(LoopKind)
SEAMLESS_IN_SPACE = ("caustics", "clouds", "plasma", "ripples")


class Quiet:
    device = "cpu"
    scratch = Path()
    wants_previews = False
    allowed = 10**9

    def check(self) -> None:
        self.allowed -= 1
        if self.allowed < 0:
            raise Cancelled


def made(seed: int = 1, **params: Any) -> Clip:
    events = list(run(Request(LoopParams(**params), seed), Quiet()))
    clip = next(event.asset for event in events if isinstance(event, Produced))
    assert isinstance(clip, Clip)
    return clip


def seam_to_step(frames: Array) -> float:
    """Change from the last frame to the first, against the mean change between frames."""
    frames = frames.astype(np.float32)
    return float(np.abs(frames[0] - frames[-1]).mean() / np.abs(np.diff(frames, axis=0)).mean())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_loops_moves_and_repeats_by_seed(kind: str, seed: int) -> None:
    clip = made(seed, kind=kind, size_px=96, frames=32)
    assert clip.loops
    assert clip.fps == 24
    assert clip.frames.shape == (32, 96, 96, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.frames.std() > 6
    assert seam_to_step(clip.frames) < 1.2
    around = np.concatenate((clip.frames, clip.frames[:1])).astype(np.int16)
    change = np.abs(np.diff(around, axis=0)).mean((1, 2, 3))
    assert change.min() > 0
    # No frame jumps: the loop has no hidden cut elsewhere either.
    assert change.max() < 3 * np.median(change)
    np.testing.assert_array_equal(clip.frames, made(seed, kind=kind, size_px=96, frames=32).frames)


@pytest.mark.parametrize("kind", SEAMLESS_IN_SPACE)
def test_surfaces_tile_in_space(kind: str) -> None:
    frames = made(kind=kind, size_px=128, frames=8).frames.astype(np.float64)
    inside = (np.abs(np.diff(frames, axis=1)).mean() + np.abs(np.diff(frames, axis=2)).mean()) / 2
    border = (np.abs(frames[:, 0] - frames[:, -1]).mean() + np.abs(frames[:, :, 0] - frames[:, :, -1]).mean()) / 2
    assert border < 1.35 * inside


@pytest.mark.parametrize("kind", ["fire", "smoke", "clouds", "plasma"])
def test_transparent_clips_have_straight_alpha(kind: str) -> None:
    clip = made(kind=kind, size_px=64, frames=8, transparent=True)
    assert clip.frames.shape[-1] == 4
    alpha = clip.frames[..., 3]
    assert alpha.min() < 40 < 120 < alpha.max()


def test_fire_over_black_equals_its_transparent_form() -> None:
    opaque = made(kind="fire", size_px=64, frames=8).frames.astype(float)
    clear = made(kind="fire", size_px=64, frames=8, transparent=True).frames.astype(float)
    over = clear[..., :3] * clear[..., 3:] / 255
    assert np.abs(over - opaque).max() <= 2


def test_opaque_kinds_say_that_they_have_no_alpha() -> None:
    events = list(run(Request(LoopParams(kind="ripples", size_px=64, frames=8, transparent=True), 1), Quiet()))
    assert any(isinstance(event, Note) and "without transparency" in event.text for event in events)


def test_tint_turns_the_colour() -> None:
    green = made(kind="fire", size_px=64, frames=8, tint="#20ff40").frames.reshape(-1, 3).mean(0)
    assert green[1] > green[0] and green[1] > green[2]


def test_the_forcing_of_the_fluid_is_periodic_and_its_flow_nearly_free_of_sources() -> None:
    plume = PLUMES["smoke"].scaled(LoopParams(kind="smoke"))
    flow = PlumeSimulation(64, plume, 12, np.random.default_rng(0), "cpu")
    first, gust = flow._source()[0].clone(), flow._gusts()[0].clone()
    for _ in range(12):
        flow.step()
    np.testing.assert_allclose(flow._source()[0].numpy(), first.numpy(), atol=1e-5)
    np.testing.assert_allclose(flow._gusts()[0].numpy(), gust.numpy(), atol=1e-6)
    free = flow._projected(flow.velocity, flow.velocity[0] * 0).numpy()
    ky, kx = np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64)[None]
    spectrum = np.fft.rfft2(free)
    divergence = ky * spectrum[0] + kx * spectrum[1]
    # The highest frequency has no sign on an even grid and is left out.
    assert np.abs(divergence[np.abs(ky[:, 0]) < 0.5, :-1]).max() < 1e-4 * np.abs(spectrum).max()


def test_smoke_is_bounded_and_rises() -> None:
    plume = PLUMES["smoke"].scaled(LoopParams(kind="smoke"))
    flow = PlumeSimulation(64, plume, 24, np.random.default_rng(0), "cpu")
    heights = []
    for _ in range(40):
        smoke = flow.step()[0].numpy()
        assert 0 <= smoke.min() <= smoke.max() <= 1.5
        heights.append(float((smoke.sum(1) * np.arange(64)).sum() / smoke.sum()))
    assert heights[-1] < heights[3] - 5


def test_joined_ends_where_it_begins() -> None:
    states = [np.full((1, 2, 2), float(i), np.float32) for i in range(14)]
    out = [float(state.mean()) for state in joined(states, 10)]
    assert len(out) == 10
    # The first frame is nearly the one after the last, the end of the overlap nearly the run itself.
    assert out[0] > 8
    assert out[4:] == [4, 5, 6, 7, 8, 9]


def test_the_loop_begins_where_least_moves() -> None:
    values = [0.0, 5.0, 9.0, 9.5, 4.0]
    assert calmest([np.full((1, 2, 2), value, np.float32) for value in values]) == 3


def test_looping_noise_returns_after_one_turn() -> None:
    noise = LoopingNoise(64, 3, 2.0, 2.0, np.random.default_rng(0), (0, 1))
    np.testing.assert_allclose(noise.at(0.0), noise.at(1.0), atol=1e-4)
    assert np.abs(noise.at(0.0) - noise.at(0.5)).mean() > 0.3
    assert noise.at(0.25).std() == pytest.approx(1, abs=0.35)


def test_previews_come_as_frames_come_and_cancelling_ends_it() -> None:
    context = Quiet()
    context.wants_previews = True
    events = list(run(Request(LoopParams(kind="plasma", size_px=64, frames=16), 1), context))
    assert sum(isinstance(event, Preview) for event in events) >= 8
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    context.allowed = 5
    with pytest.raises(Cancelled):
        list(run(Request(LoopParams(kind="plasma", size_px=64, frames=16), 1), context))
