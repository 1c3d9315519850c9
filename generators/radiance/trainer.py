"""Training a splat cloud on posed photographs: one object that takes steps, renders, saves itself and resumes.

The scene is centred on what the cameras look at and scaled so that they stand about 1 from it; results are given
back in the photographs' own world. On CPU the same photographs, settings and seed give the same cloud, whatever
the number of threads, and a resumed run goes on as if it had never been interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from generators.radiance import depth_loss
from generators.radiance.adam import Adam, Rates
from generators.radiance.cameras import Camera
from generators.radiance.colmap import Points
from generators.radiance.exposure import Exposure, own_gain
from generators.radiance.losses import WINDOW_PX, photometric, psnr
from generators.radiance.parameters import Parameters, to_splats
from generators.radiance.photographs import Photograph
from generators.radiance.rasterizer import Backend, Projection, Rules, backend_for
from generators.radiance.seeding import seed_cloud
from generators.radiance.shelf import Shelf
from generators.radiance.stereo import focus
from generators.radiance.strategy import Default, Mcmc, Strategy
from generators.radiance.surfaces import DEPTH, Surfaces

if TYPE_CHECKING:
    from generators.radiance.resident import Resident

PARTS = ("render", "loss", "backward", "optimise")
SHORT_RUN = 1000
"""Iterations up to which steps are as long as `Rates` says; with n times as many they are shorter by the root of n.

With rates that suit a short run a long one wanders: at 270×480 the fox stood at 24.9 dB after 800 of 2000 iterations.
"""


class TrainerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a training run depends on besides its photographs."""

    iterations: int = 3000
    splats_max: int = 60_000
    sh_degree: int = 2
    sh_every: float = 0.12
    """Share of the run after which one more degree of harmonics comes into use; 0: all of them from the start."""
    strategy: Literal["mcmc", "default"] = "mcmc"
    refine_every: int = 50
    refine_from: float = 0.03
    refine_until: float = 0.8
    coarse_until: float = 0.0
    """Share of the run that is spent on pictures of half the size; pays only for large ones."""
    ssim_weight: float = 0.2
    depth_weight: float = 0.0
    """How much the difference to known inverse depth counts beside that of colours; 0: depth is not drawn at all."""
    normal_weight: float = 0.0
    """How much the difference of drawn normals to those of the drawn depth counts; 0: normals are not drawn at all."""
    normals_from: float = 0.25
    """Share of the run after which it counts: splats are to find their places first."""
    antialiased: bool = False
    background: Literal["black", "white", "random"] = "black"
    exposure: bool = False
    """Fit one gain and one offset a channel to each photograph."""
    rates: Rates = Rates()
    decay: float = 0.1
    """By how much the positions' learning rate has fallen at the end."""
    settle: float = 0.6
    """By how much all other learning rates have fallen at the end."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class View:
    """A photograph made ready at one size: `target` float32 [3, H, W]; `mask` as in `Photograph`.

    `inverse` float32 [H, W] is 1 / depth in scene units, 0 where it is not known.
    """

    camera: Camera
    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    mask: NDArray[np.bool_] | None
    inverse: FloatArray | None = None

    def target(self, background: FloatArray) -> FloatArray:
        """The picture to be matched, over `background` [3] where the photograph is transparent."""
        colour = self.pixels.astype(np.float32) * np.float32(1 / 255)
        if self.alpha is None:
            return colour
        alpha = self.alpha.astype(np.float32) * np.float32(1 / 255)
        return np.ascontiguousarray(colour * alpha + (1 - alpha) * background[:, None, None])


@dataclass(frozen=True)
class Report:
    """What one step did; `seconds` by part of `PARTS`."""

    step: int
    loss: float
    splats: int
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Quality:
    """Mean over views of peak signal-to-noise ratio in dB and structural similarity."""

    psnr: float
    ssim: float


@dataclass(frozen=True, eq=False)
class Normalisation:
    """`scene = (world - centre) / scale`."""

    centre: NDArray[np.float64]
    scale: float

    def photograph(self, photograph: Photograph, shelf: Shelf | None = None) -> Photograph:
        """The photograph with its camera and depth as they are in the normalised scene."""
        depth = None if photograph.depth is None else (photograph.depth / self.scale).astype(np.float32)
        if depth is not None and shelf is not None:
            depth = shelf.array(depth)
        return replace(photograph, camera=self.camera(photograph.camera), depth=depth)

    def points(self, points: Points) -> Points:
        """The points as they lie in the normalised scene."""
        return replace(points, positions=((points.positions - self.centre) / self.scale).astype(np.float32))

    def camera(self, camera: Camera) -> Camera:
        """The camera as it stands in the normalised scene."""
        matrix = camera.camera_from_world.copy()
        matrix[:3, 3] = (matrix[:3, :3] @ self.centre + matrix[:3, 3]) / self.scale
        return replace(camera, camera_from_world=matrix)

    def to_world(self, parameters: Parameters) -> Parameters:
        """A copy of scene parameters in world units; harmonics and rotations stay as they are."""
        world = parameters.take(np.arange(len(parameters)))
        world.positions = (parameters.positions * self.scale + self.centre).astype(np.float32)
        world.log_scales = parameters.log_scales + np.float32(np.log(self.scale))
        return world

    def to_scene(self, parameters: Parameters) -> Parameters:
        """A copy of world parameters in scene units; the inverse of `to_world` up to rounding."""
        scene = parameters.take(np.arange(len(parameters)))
        scene.positions = ((parameters.positions - self.centre) / self.scale).astype(np.float32)
        scene.log_scales = parameters.log_scales - np.float32(np.log(self.scale))
        return scene


def normalisation(cameras: Sequence[Camera]) -> Normalisation:
    """Centre on the cameras' focus, scale to their mean distance from it."""
    centre = focus(list(cameras))
    distance = float(np.mean([np.linalg.norm(camera.position - centre) for camera in cameras]))
    return Normalisation(centre, max(distance, 1e-9))


def halved(photograph: Photograph) -> Photograph:
    """The photograph at half its size, edges cut to an even number of pixels."""
    _, height, width = photograph.pixels.shape
    rows, columns = height // 2, width // 2

    def mean(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        cut = values[..., : 2 * rows, : 2 * columns].astype(np.float32)
        means = cut.reshape(*values.shape[:-2], rows, 2, columns, 2).mean((-3, -1))
        return np.asarray(means + 0.5, np.uint8)

    camera = replace(photograph.camera, width=2 * columns, height=2 * rows).resized(columns, rows)
    mask = photograph.mask
    if mask is not None:
        mask = mask[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).min((1, 3))
    alpha = None if photograph.alpha is None else mean(photograph.alpha)
    return Photograph(photograph.name, camera, mean(photograph.pixels), alpha, mask)


def resident_for(backend: Backend, settings: TrainerSettings) -> Resident | None:
    """Where the cloud stays while it is trained with gsplat; None where it is trained in arrays here.

    Exposures, known depth and smooth normals are compared here: with any of them everything crosses at each step.
    """
    if backend.name != "gsplat" or settings.exposure or settings.depth_weight > 0 or settings.normal_weight > 0:
        return None
    from generators.radiance.rasterizer.gsplat_backend import GsplatBackend
    from generators.radiance.resident import Resident

    return Resident(backend.device) if isinstance(backend, GsplatBackend) else None


class Trainer:
    """A cloud on its way; iterate over it, or call `step`, until `done`."""

    def __init__(
        self,
        photographs: Sequence[Photograph],
        settings: TrainerSettings,
        *,
        points: Points | None = None,
        initial: Parameters | None = None,
        device: str = "cpu",
        shelf: Shelf | None = None,
    ) -> None:
        """Prepare views and seeds; `initial` in normalised units replaces the seeding.

        With a `shelf` what is too much for memory lies there.
        """
        if not photographs:
            raise ValueError("a trainer needs at least one photograph")
        self.settings = settings
        self.backend: Backend = backend_for(device)
        self.normalisation = normalisation([photograph.camera for photograph in photographs])
        scene = [self.normalisation.photograph(p, shelf) for p in photographs]
        points = None if points is None else self.normalisation.points(points)
        self.known_depth = depth_loss.known_depth(scene, points, shelf) if settings.depth_weight > 0 else None
        self._fine, self._coarse = self._views(scene)
        self.rng = np.random.default_rng(settings.seed)
        if initial is None:
            initial = seed_cloud(
                scene,
                count=settings.splats_max,
                sh_count=(settings.sh_degree + 1) ** 2,
                rng=self.rng,
                points=points,
            )
        self._card = resident_for(self.backend, settings)
        self._parameters, self._adam = initial, Adam.fresh(initial)
        self.exposure = Exposure.neutral(len(photographs)) if settings.exposure else None
        self.iteration = 0
        self.order: list[int] = []
        self._stopped = False
        self._strategy: Strategy = (
            Mcmc(settings.splats_max, seed=settings.seed)
            if settings.strategy == "mcmc"
            else Default(settings.splats_max)
        )

    def _views(self, scene: Sequence[Photograph]) -> tuple[list[View], list[View]]:
        """The photographs at their own size and, where wanted and possible, at half of it."""
        small = [halved(p) for p in scene] if self.settings.coarse_until > 0 else []
        if not all(min(p.pixels.shape[1:]) > WINDOW_PX for p in small):
            small = []
        inverse = [None] * len(scene) if self.known_depth is None else self.known_depth.inverse
        fine = [View(p.camera, p.pixels, p.alpha, p.mask, one) for p, one in zip(scene, inverse, strict=True)]
        coarse = [
            View(p.camera, p.pixels, p.alpha, p.mask, None if one is None else depth_loss.halved(one))
            for p, one in zip(small, inverse, strict=False)
        ]
        return fine, coarse

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def parameters(self) -> Parameters:
        """The cloud in scene units, as it is after the last step."""
        if self._card is not None:
            self._card.bring(self._parameters, self._adam)
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: Parameters) -> None:
        self._parameters = parameters
        if self._card is not None:
            self._card.forget()

    @property
    def adam(self) -> Adam:
        """The optimiser's memory, as it is after the last step."""
        if self._card is not None:
            self._card.bring(self._parameters, self._adam)
        return self._adam

    @adam.setter
    def adam(self, adam: Adam) -> None:
        self._adam = adam
        if self._card is not None:
            self._card.forget()

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
        """Call the cloud good enough: no further step is taken, everything else still works."""
        self._stopped = True

    def __iter__(self) -> Iterator[Report]:
        while not self.done:
            yield self.step()

    # -- one step --------------------------------------------------------------------------------------------------

    def rules(self) -> Rules:
        """How the cloud is drawn at this point of the run."""
        every = self.settings.sh_every
        degree = min(self.settings.sh_degree, int(self.fraction / every)) if every > 0 else self.settings.sh_degree
        return Rules(antialiased=self.settings.antialiased, sh_count=(degree + 1) ** 2)

    def rates(self) -> Rates:
        """Learning rates at this point of the run."""
        rates = self.settings.rates
        length = min(1.0, sqrt(SHORT_RUN / max(self.settings.iterations, 1)))
        settle = length * self.settings.settle**self.fraction
        return Rates(
            positions=rates.positions * length * self.settings.decay**self.fraction,
            log_scales=rates.log_scales * settle,
            quaternions=rates.quaternions * settle,
            logits=rates.logits * settle,
            sh=rates.sh * settle,
            sh_rest=rates.sh_rest * settle,
        )

    def _background(self) -> FloatArray:
        if self.settings.background == "random":
            return self.rng.random(3, np.float32)
        return np.full(3, 1.0 if self.settings.background == "white" else 0.0, np.float32)

    def _next_view(self) -> int:
        """Every view once in random order, then anew."""
        if not self.order:
            self.order = self.rng.permutation(len(self._fine)).tolist()
        return self.order.pop()

    def step(self) -> Report:
        """Render one view, compare, and move the splats; refine the cloud when its time has come."""
        index, rules, background = self._next_view(), self.rules(), self._background()
        coarse = self._coarse and self.fraction < self.settings.coarse_until
        view = (self._coarse if coarse else self._fine)[index]
        if self._card is not None:
            return self._step_on(self._card, view, rules, background)
        return self._step_here(index, view, rules, background)

    def _step_on(self, card: Resident, view: View, rules: Rules, background: FloatArray) -> Report:
        """A step of a cloud that lives on a graphics card; what it takes is told as one, since the card works ahead."""
        began = time.perf_counter()
        loss, pull = card.gradients(
            self._parameters, self._adam, rules, view.camera,
            view.pixels if view.alpha is None else view.target(background), background,
            mask=view.mask, ssim_weight=self.settings.ssim_weight,
        )  # fmt: skip
        card.observe(self._strategy, pull)
        card.regularise(self._strategy)
        rates = self.rates()
        card.optimise(self._adam, rates)
        self.iteration += 1
        card.disturb(self._strategy, rates.positions, self.iteration)
        if self._refines_now():
            observed = card.observed()
            if observed is not None and isinstance(self._strategy, Default):
                self._strategy.remember(*observed)
            self.parameters = self._strategy.refine(self.parameters, self.adam, self.rng)
        told = float(loss)  # waits for the card
        seconds = dict.fromkeys(PARTS, 0.0) | {"backward": time.perf_counter() - began}
        return Report(self.iteration, told, len(self._parameters), seconds)

    def _step_here(self, index: int, view: View, rules: Rules, background: FloatArray) -> Report:
        clock = [time.perf_counter()]
        width, height = view.camera.width, view.camera.height
        projection = self.backend.project(self.parameters, view.camera, rules, sound=True)
        surfaces = self._surfaces(projection, view)
        drawn = (projection.colour, background) if surfaces is None else surfaces.drawn(background)
        raster = self.backend.rasterize(projection, *drawn, width, height)
        image = raster.image[:3]
        clock.append(time.perf_counter())
        seen = image if self.exposure is None else self.exposure.applied(index, image)
        compared = photometric(seen, view.target(background), ssim_weight=self.settings.ssim_weight, mask=view.mask)
        grad_image = compared.gradient
        if self.exposure is not None:
            grad_image = self.exposure.step(index, image, grad_image)
        held = None if surfaces is None else surfaces.compared(raster, view.mask)
        clock.append(time.perf_counter())
        if held is None:
            flat, by_depth = self.backend.rasterize_backward(raster, grad_image), None
        else:
            grad_image = np.concatenate([grad_image, held.by_features])
            flat = self.backend.rasterize_backward(raster, grad_image, held.by_transmittance)
            by_depth = np.ascontiguousarray(flat.features[:, DEPTH])
        gradients = self.backend.project_backward(self.parameters, view.camera, rules, projection, flat, by_depth)
        if surfaces is not None:
            surfaces.pull(flat, gradients)
        clock.append(time.perf_counter())
        self._strategy.observe(projection, flat, width, height)
        self._strategy.regularise(self.parameters, gradients)
        rates = self.rates()
        self.adam.step(self.parameters, gradients, rates)
        self.iteration += 1
        self._strategy.disturb(self.parameters, rates.positions, self.iteration)
        if self._refines_now():
            self.parameters = self._strategy.refine(self.parameters, self.adam, self.rng)
        clock.append(time.perf_counter())
        seconds = dict(zip(PARTS, np.diff(clock).tolist(), strict=True))
        loss = compared.loss if held is None else compared.loss + held.loss
        return Report(self.iteration, loss, len(self.parameters), seconds)

    def _surfaces(self, projection: Projection, view: View) -> Surfaces | None:
        """What surfaces are held to at this point of the run, if anything."""
        settings = self.settings
        normal_weight = settings.normal_weight if self.fraction >= settings.normals_from else 0.0
        if view.inverse is None and normal_weight == 0:
            return None
        return Surfaces(
            self.parameters,
            projection,
            view.camera,
            inverse=view.inverse,
            depth_weight=settings.depth_weight,
            normal_weight=normal_weight,
        )

    def _refines_now(self) -> bool:
        s = self.settings
        return self.iteration % s.refine_every == 0 and s.refine_from <= self.fraction <= s.refine_until

    # -- results ---------------------------------------------------------------------------------------------------

    def render(self, camera: Camera, *, background: FloatArray | None = None) -> FloatArray:
        """The cloud as a camera in world units sees it, float32 [3, H, W] in display-referred colour."""
        inside = self.normalisation.camera(camera)
        projection = self.backend.project(self.parameters, inside, self.rules(), sound=True)
        ground = np.full(3, 1.0 if self.settings.background == "white" else 0.0, np.float32)
        return self.backend.rasterize(
            projection, projection.colour, ground if background is None else background, camera.width, camera.height
        ).image

    def evaluate(self, photographs: Sequence[Photograph]) -> Quality:
        """How well views, best such as were not trained on, are reproduced; with `exposure`, each at its own gain."""
        black = np.zeros(3, np.float32)
        scores = []
        for photograph in photographs:
            image = self.render(photograph.camera, background=black)
            target = View(photograph.camera, photograph.pixels, photograph.alpha, None).target(black)
            if self.exposure is not None:
                image = own_gain(image, target, photograph.mask)
            if photograph.mask is not None:
                image = np.where(photograph.mask, image, target)
            similarity = photometric(np.clip(image, 0, 1), target).ssim
            scores.append((psnr(image, target), similarity))
        mean = np.mean(scores, axis=0)
        return Quality(float(mean[0]), float(mean[1]))

    def splats(self, name: str = "") -> Splats:
        """The cloud in the photographs' world, as a neutral asset."""
        return to_splats(self.normalisation.to_world(self.parameters), name=name)
