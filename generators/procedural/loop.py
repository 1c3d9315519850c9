"""`clip.loop`: fire, smoke, caustics, clouds, plasma and rain ripples that loop without a jump."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import Array, Clip, FloatArray
from generators.events import Context, Event, Note, Preview, Produced, Progress, Request
from generators.procedural.loop_scenes import PLUMES, plume_colour, scene
from generators.procedural.small_specs import LoopParams

SIMULATED_PX = 320
PREVIEW_PX = 256


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield one clip that loops, uint8 sRGB [frames, size, size, 3 or 4]."""
    params = request.params
    if not isinstance(params, LoopParams):
        raise TypeError(f"clip.loop wants LoopParams, got {type(params).__name__}")
    if params.transparent and params.kind in ("caustics", "ripples"):
        yield Note(f"{params.kind.capitalize()} cover the whole picture: made without transparency.")
    rng = np.random.default_rng(request.seed)
    frames = np.empty((params.frames, params.size_px, params.size_px, channels(params)), np.uint8)
    if params.kind in PLUMES:
        if params.size_px > SIMULATED_PX:
            yield Note(f"The fluid was simulated at {SIMULATED_PX} px and enlarged to {params.size_px} px.")
        yield from _plume(params, rng, context, frames)
    else:
        draw = scene(params, rng)
        for number in range(params.frames):
            context.check()
            frames[number] = stored(draw(number / params.frames, context.check))
            yield from _told(frames, number, params.frames, context, 0.0)
    yield Produced(Clip(frames=frames, fps=params.fps, loops=True, name=f"{params.kind} loop"))


def channels(params: LoopParams) -> int:
    """4 where the clip has an alpha."""
    return 4 if params.transparent and params.kind not in ("caustics", "ripples") else 3


def _told(frames: Array, number: int, total: int, context: Context, start: float) -> Iterator[Event]:
    """Progress, and about ten pictures over the whole run."""
    yield Progress(start + (1 - start) * (number + 1) / total, "frames")
    if context.wants_previews and number % max(1, total // 10) == 0:
        step = max(1, frames.shape[1] // PREVIEW_PX)
        yield Preview(np.ascontiguousarray(frames[number, ::step, ::step, :3]))


def _plume(params: LoopParams, rng: np.random.Generator, context: Context, frames: Array) -> Iterator[Event]:
    """Simulate with periodic forcing, then fade the run's end into its start."""
    from generators.procedural.fluid import PlumeSimulation

    count = params.frames
    overlap = max(2, count // 3)
    warm = max(count, 72)
    simulation = PlumeSimulation(
        min(params.size_px, SIMULATED_PX), PLUMES[params.kind].scaled(params), count, rng, context.device
    )
    kept: list[FloatArray] = []
    for number in range(warm + count + overlap):
        context.check()
        state = simulation.step()
        if number >= warm:
            kept.append(state.cpu().numpy())
        if number % 4 == 0:
            yield Progress(0.7 * number / (warm + count + overlap), "simulating")
            if context.wants_previews and number % 16 == 0:
                yield Preview(np.ascontiguousarray(stored(plume_colour(params, state.cpu().numpy()))[..., :3]))
    states = list(joined(kept, count))
    start = calmest(states)
    for number in range(count):
        context.check()
        frames[number] = stored(plume_colour(params, _enlarged(states[(start + number) % count], params.size_px)))
        yield from _told(frames, number, count, context, 0.7)


def joined(kept: list[FloatArray], count: int) -> Iterator[FloatArray]:
    """`count` states of a longer run, its surplus faded into the beginning so that the end meets the start."""
    overlap = len(kept) - count
    for number in range(count):
        if number < overlap:
            share = (number + 1) / (overlap + 1)
            weight = np.float32(share * share * (3 - 2 * share))
            yield kept[number] * weight + kept[number + count] * (1 - weight)
        else:
            yield kept[number]


def calmest(states: list[FloatArray]) -> int:
    """Where a loop is best begun: at the step in which least moves, since players may stumble where they wrap."""
    steps = [float(np.abs(state - states[number - 1]).mean()) for number, state in enumerate(states)]
    return int(np.argmin(steps))


def _enlarged(state: FloatArray, size: int) -> FloatArray:
    """Planes [C, N, N] by smooth interpolation at `size`."""
    if state.shape[1] == size:
        return state
    from generators.procedural.erosion import enlarged

    return np.stack([np.maximum(enlarged(plane, size), 0) for plane in state]).astype(np.float32)


def stored(picture: FloatArray) -> Array:
    """Display-referred values 0..1 as bytes."""
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
