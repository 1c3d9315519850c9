"""Training a field on posed photographs: one object that takes steps, renders, saves itself and grows finer.

The scene is centred on what the cameras look at. On CPU the same photographs, settings and seed give the same
field, whatever the number of threads, and a resumed run goes on as if it had never been interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import Field, FloatArray
from generators.fields.beginning import OUTSIDE, SEEN, first_lattice
from generators.fields.engine import Batch, State, engine_for
from generators.fields.growth import bricks_for, continued, refined, thinned, widened
from generators.fields.lattice import CHANNELS, VERTICES, Lattice
from generators.fields.rays import Rays, rays_of
from generators.fields.rendering import FINE_STEP, View, asset_of, render_lattice
from generators.fields.settings import FieldSettings
from generators.radiance.cameras import Camera
from generators.radiance.losses import photometric, psnr
from generators.radiance.photographs import Photograph
from generators.radiance.trainer import Normalisation, Quality, halved, normalisation

PARTS = ("pick", "rays", "smooth", "optimise", "grow")
SMOOTH_TURNS = 2
"""Only every so many bricks are smoothed in a step, in turn."""
SMOOTH_RAYS = 16384
"""Number of rays that the weights of smoothness are meant for."""
SMALLEST_PX = 32
"""Pictures are not halved below this side."""
SOLID = 0.02
"""Share of light that a cell must stop to be carried on beyond the photographs' edges."""


@dataclass(frozen=True)
class Report:
    """What one step did: mean squared error summed over colours, mean samples a ray, `seconds` by part of `PARTS`."""

    step: int
    loss: float
    samples: float
    seconds: dict[str, float] = field(default_factory=dict)


class FieldTrainer:
    """A field on its way; iterate over it, or call `step`, until `done`."""

    def __init__(self, photographs: Sequence[Photograph], settings: FieldSettings, *, device: str = "cpu") -> None:
        """Lay out the pictures at every size and the first lattice."""
        if not photographs:
            raise ValueError("a trainer needs at least one photograph")
        self.settings, self.device = settings, device
        base = normalisation([photograph.camera for photograph in photographs])
        self.normalisation = Normalisation(base.centre, base.scale * settings.radius)
        scene = [replace(p, camera=self.normalisation.camera(p.camera)) for p in photographs]
        self.opaque = all(photograph.alpha is None for photograph in photographs)
        means = np.mean([p.pixels.reshape(3, -1).mean(1) for p in photographs], axis=0) / 255
        self.backdrop = (float(means[0]), float(means[1]), float(means[2])) if self.opaque else None
        middle = np.mean([photograph.camera.position for photograph in photographs], axis=0)
        self.seen_from = (float(middle[0]), float(middle[1]), float(middle[2]))
        self._scales = _pyramid(scene, settings.levels)
        self.rng = np.random.default_rng(settings.seed)
        self.iteration, self.level = 0, 0
        self._stopped = False
        self.adopt(first_lattice([photograph.camera for photograph in scene], settings))

    def adopt(
        self, lattice: Lattice, first: FloatArray | None = None, second: FloatArray | None = None,
        peaks: FloatArray | None = None,
    ) -> None:  # fmt: skip
        """Go on with another lattice and, if given, its Adam moments [B · 64 · 16] and the peaks of its cells."""
        self._engine = engine_for(self.device)(lattice, first, second, peaks)

    @property
    def state(self) -> State:
        """The lattice, Adam's moments and the peaks of cells, as they are now."""
        return self._engine.state()

    @property
    def lattice(self) -> Lattice:
        """The lattice as it is now."""
        return self._engine.state().lattice

    # -- progress --------------------------------------------------------------------------------------------------

    @property
    def fraction(self) -> float:
        """How much of the run is behind, 0..1."""
        return min(1.0, self.iteration / max(self.settings.iterations, 1))

    @property
    def done(self) -> bool:
        """Whether all iterations were made or `stop_early` was called."""
        return self._stopped or self.iteration >= self.settings.iterations

    def stop_early(self) -> None:
        """Call the field good enough: no further step is taken, everything else still works."""
        self._stopped = True

    def __iter__(self) -> Iterator[Report]:
        while not self.done:
            yield self.step()

    # -- one step --------------------------------------------------------------------------------------------------

    def rates(self) -> FloatArray:
        """Learning rates by channel, float32 [16], at this point of the run."""
        settings, rates = self.settings, np.zeros(CHANNELS, np.float32)
        rates[0], rates[1:4], rates[4:13] = settings.density_rate, settings.colour_rate, settings.view_rate
        return np.asarray(rates * settings.settle**self.fraction, np.float32)

    def _pulls(self, rays: int) -> FloatArray:
        """Weights of smoothness by channel, float32 [16], for a batch of so many rays."""
        settings, pulls = self.settings, np.zeros(CHANNELS, np.float32)
        pulls[0], pulls[1:4], pulls[4:13] = settings.smooth_density, settings.smooth_colour, settings.smooth_view
        return np.asarray(pulls * (SMOOTH_TURNS * rays / SMOOTH_RAYS), np.float32)

    def step(self) -> Report:
        """Pick pixels, follow their rays, and move the field; go on to a finer lattice when its time has come."""
        settings, seconds = self.settings, dict.fromkeys(PARTS, 0.0)
        total = settings.level_rays[self.level]
        batches = max(1, round(total / settings.batch_rays)) if self.device == "cpu" else 1
        found = [self._batch(total // batches, self.iteration * batches + index, seconds) for index in range(batches)]
        self.iteration += 1
        began = time.perf_counter()
        self._grow()
        seconds["grow"] = time.perf_counter() - began
        loss, samples = np.mean(found, axis=0)
        return Report(self.iteration, float(loss), float(samples), seconds)

    def _batch(self, count: int, number: int, seconds: dict[str, float]) -> tuple[float, float]:
        """One step of Adam on about `count` pixels: mean loss and samples of a ray; adds to `seconds`."""
        clock = [time.perf_counter()]
        settings, rays = self.settings, self._scales[self.level]
        picks, views = rays.picked(count, self.rng)
        jitter, ground = self.rng.random(len(picks), np.float32), self.rng.random(3, np.float32)
        clock.append(time.perf_counter())
        losses, counts = self._engine.rays(rays, Batch(picks, views, jitter, ground), settings)
        clock.append(time.perf_counter())
        self._engine.smooth(self._pulls(count), number % SMOOTH_TURNS, SMOOTH_TURNS)
        clock.append(time.perf_counter())
        self._engine.optimise(self.rates())
        clock.append(time.perf_counter())
        for part, secs in zip(PARTS, np.diff(clock).tolist(), strict=False):
            seconds[part] += secs
        return float(losses.mean()), float(counts.mean())

    # -- growth ----------------------------------------------------------------------------------------------------

    def _grow(self) -> None:
        """At the end of a level a lattice of twice the cells, half-way through it the same one without empty cells."""
        settings = self.settings
        ends = np.concatenate([[0.0], np.cumsum(settings.level_shares)]) * settings.iterations
        begin, end = ends[self.level], ends[self.level + 1]
        finer = self.level < settings.levels - 1 and self.iteration >= end
        if not finer and self.iteration != int((begin + end) / 2):
            return
        now, shape = self._engine.state(), (-1, CHANNELS)
        del self._engine  # its gradients would lie in memory beside those of the next one
        if finer:
            self.adopt(self._finer(now))
            self.level += 1
        else:
            keep = self._kept(now, settings.keep)
            lattice, (first, second) = thinned(now.lattice, keep, now.first.reshape(shape), now.second.reshape(shape))
            self.adopt(lattice, first.reshape(-1), second.reshape(-1))

    def _finer(self, state: State) -> Lattice:
        keep = self._within_bounds(state)
        return refined(state.lattice, keep)

    def _within_bounds(self, state: State) -> NDArray[np.bool_]:
        """The cells to be refined, fewer of them where the finer lattice would take too much memory."""
        threshold = self.settings.keep
        keep = self._kept(state, threshold)
        while threshold < 0.5 and bricks_for(state.lattice, keep) > self.settings.bricks_max:
            threshold *= 1.5
            keep = self._kept(state, threshold)
        return keep

    def _kept(self, state: State, threshold: float) -> NDArray[np.bool_]:
        """Cells that some ray has found something in, their neighbours, and how surfaces go on where nobody looked."""
        settings, lattice = self.settings, state.lattice
        peak = state.peaks.max(0).reshape(-1, VERTICES)
        keep = widened(lattice, (peak > threshold) & (lattice.occupied > 0))
        for _ in range(settings.beyond):
            keep |= widened(lattice, keep) & (peak == 0) & (lattice.occupied == SEEN)
        known = (state.second.reshape(-1, CHANNELS)[:, 0] > 0).astype(np.uint8).reshape(-1, VERTICES)
        continued(lattice, known, settings.outside)
        near = keep.copy()
        for _ in range(settings.outside):
            near = widened(lattice, near)
        unseen = (lattice.occupied == OUTSIDE) & (peak == 0) & near
        solid = np.exp(lattice.values[:, 0].reshape(-1, VERTICES)) * lattice.pitch > SOLID
        return np.asarray(keep | (widened(lattice, unseen & solid) & unseen))

    # -- results ---------------------------------------------------------------------------------------------------

    def render(self, camera: Camera) -> View:
        """The field as a camera in world units sees it; depth in world units."""
        settings, inside = self.settings, self.normalisation.camera(camera)
        view = render_lattice(self.lattice, inside, step=FINE_STEP, near=settings.near, far=settings.far)
        return replace(view, depth=view.depth * np.float32(self.normalisation.scale))

    def evaluate(self, photographs: Sequence[Photograph]) -> Quality:
        """How well views, best such as were not trained on, are reproduced; transparent ones over black."""
        scores = []
        for photograph in photographs:
            image = self.render(photograph.camera).over(self.backdrop)
            target = np.asarray(photograph.pixels, np.float32) * np.float32(1 / 255)
            if photograph.alpha is not None:
                target = target * (np.asarray(photograph.alpha, np.float32) * np.float32(1 / 255))
            if photograph.mask is not None:
                image = np.where(photograph.mask, image, target)
            scores.append((psnr(image, target), photometric(np.clip(image, 0, 1), target).ssim))
        mean = np.mean(scores, axis=0)
        return Quality(float(mean[0]), float(mean[1]))

    def field(self, name: str = "") -> Field:
        """The field in the photographs' world, as a neutral asset."""
        near = self.settings.near
        return asset_of(
            self.lattice, self.normalisation, near=near, backdrop=self.backdrop, seen_from=self.seen_from, name=name
        )


def _pyramid(photographs: Sequence[Photograph], levels: int) -> list[Rays]:
    """The pictures at the size of each level, the smallest first."""
    current, scales = list(photographs), [rays_of(photographs)]
    for _ in range(levels - 1):
        small = min(min(p.pixels.shape[1:]) for p in current) < 2 * SMALLEST_PX
        current = current if small else [halved(p) for p in current]
        scales.insert(0, scales[0] if small else rays_of(current))
    return scales
