"""A cloud that is shaped by what a guide says of its pictures: DreamGaussian's first stage (Tang et al. 2023)."""

from __future__ import annotations

from dataclasses import replace
from math import cos, radians, sin

import msgspec
import numpy as np

from engines.assets import FloatArray, Splats
from engines.splat_values import dc_from_colour, logit_from_opacity
from generators.radiance.adam import Adam, Rates
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.guidance import Guide, view_of
from generators.radiance.parameters import Parameters, to_splats
from generators.radiance.rasterizer import Rules, backend_for
from generators.radiance.strategy import Mcmc

RADIUS_M = 0.5
"""All splats' middles lie in a ball of this radius about the origin."""
SCALE_MAX_M = 0.1
SEED_OPACITY, SEED_GREY = 0.1, 0.5
SEED_SHARE = 0.5
"""Of the splats are there from the start; the others come where the cloud is dense."""
DISTANCE_M = (1.4, 1.9)
FOV_Y_DEG = (40.0, 50.0)
ELEVATION_DEG = (-10.0, 75.0)
REFINE_EVERY, REFINE_FROM, REFINE_UNTIL = 50, 0.05, 0.8
RATES = Rates(positions=1e-3, log_scales=5e-3, quaternions=5e-3, logits=5e-2, sh=1e-2)
"""DreamGaussian's: gradients from noise call for smaller steps than those from photographs."""
DECAY = 0.1
"""By how much the positions' rate has fallen at the end."""
RULES = Rules(sh_count=1)


class DistillerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that the cloud depends on besides its guide."""

    steps: int = 1000
    splats_max: int = 10_000
    resolution_px: int = 256
    seed: int = 0


def seeds(count: int, rng: np.random.Generator) -> Parameters:
    """Faint grey splats spread evenly over the ball, as large as their distance."""
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    positions = directions * RADIUS_M * np.cbrt(rng.random((count, 1)))
    spaced = min(RADIUS_M * (4.19 / count) ** (1 / 3), SCALE_MAX_M)
    return Parameters(
        positions=np.ascontiguousarray(positions, np.float32),
        log_scales=np.full((count, 3), np.log(0.5 * spaced), np.float32),
        quaternions=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        logits=logit_from_opacity(np.full(count, SEED_OPACITY)),
        sh=np.ascontiguousarray(dc_from_colour(np.full((count, 3), SEED_GREY, np.float32))[:, None, :]),
    )


def orbiting(azimuth_deg: float, elevation_deg: float, distance_m: float, fov_y_deg: float, side_px: int) -> Camera:
    """A camera that looks at the origin; azimuth 0 stands on +Z, 90 on +X."""
    around, up = radians(azimuth_deg), radians(elevation_deg)
    eye = (distance_m * cos(up) * sin(around), distance_m * sin(up), distance_m * cos(up) * cos(around))
    return looking_at(eye, (0.0, 0.0, 0.0), fov_y_deg=fov_y_deg, width=side_px, height=side_px)


class Distiller:
    """A cloud on its way; call `step` until `done`."""

    def __init__(self, guide: Guide, settings: DistillerSettings, *, device: str = "cpu") -> None:
        self.settings = settings
        self.guide = guide
        self._backend = backend_for(device)
        self.rng = np.random.default_rng(settings.seed)
        self.parameters = seeds(max(1, round(SEED_SHARE * settings.splats_max)), self.rng)
        self.adam = Adam.fresh(self.parameters)
        self._strategy = Mcmc(settings.splats_max, seed=settings.seed)
        self.iteration = 0

    @property
    def fraction(self) -> float:
        """How much of the run is behind, 0..1."""
        return min(1.0, self.iteration / max(self.settings.steps, 1))

    @property
    def done(self) -> bool:
        """Whether all steps were taken."""
        return self.iteration >= self.settings.steps

    def step(self) -> None:
        """Draw the cloud from a random side over a random colour, ask the guide, and move the splats."""
        azimuth, elevation, camera = self._camera()
        background = self.rng.random(3, np.float32)
        projection = self._backend.project(self.parameters, camera, RULES, sound=True)
        raster = self._backend.rasterize(projection, projection.colour, background, camera.width, camera.height)
        pull = self.guide.gradient(raster.image, view_of(azimuth, elevation), self.fraction)
        flat = self._backend.rasterize_backward(raster, pull)
        gradients = self._backend.project_backward(self.parameters, camera, RULES, projection, flat)
        self._strategy.regularise(self.parameters, gradients)
        rates = self._rates()
        self.adam.step(self.parameters, gradients, rates)
        self.iteration += 1
        self._strategy.disturb(self.parameters, rates.positions, self.iteration)
        if self.iteration % REFINE_EVERY == 0 and REFINE_FROM <= self.fraction <= REFINE_UNTIL:
            self.parameters = self._strategy.refine(self.parameters, self.adam, self.rng)
        self._hold()

    def _camera(self) -> tuple[float, float, Camera]:
        """Azimuth, elevation and a camera, spread evenly over the part of the sphere that is looked from."""
        azimuth = float(self.rng.uniform(-180.0, 180.0))
        height = self.rng.uniform(*np.sin(np.radians(ELEVATION_DEG)))
        elevation = float(np.degrees(np.arcsin(height)))
        distance, fov = self.rng.uniform(*DISTANCE_M), self.rng.uniform(*FOV_Y_DEG)
        return azimuth, elevation, orbiting(azimuth, elevation, distance, fov, self.settings.resolution_px)

    def _rates(self) -> Rates:
        return replace(RATES, positions=RATES.positions * DECAY**self.fraction)

    def _hold(self) -> None:
        """Bring back what has left the ball, and keep single splats from becoming a sky."""
        positions = self.parameters.positions
        away = np.linalg.norm(positions, axis=1, keepdims=True)
        positions *= np.minimum(1.0, RADIUS_M / np.maximum(away, 1e-12)).astype(np.float32)
        np.minimum(self.parameters.log_scales, np.float32(np.log(SCALE_MAX_M)), out=self.parameters.log_scales)

    def render(self, camera: Camera, background: FloatArray) -> FloatArray:
        """The cloud as a camera sees it, float32 [3, H, W] in display-referred colour."""
        projection = self._backend.project(self.parameters, camera, RULES, sound=True)
        return self._backend.rasterize(projection, projection.colour, background, camera.width, camera.height).image

    def splats(self, name: str = "") -> Splats:
        """The cloud as a neutral asset."""
        return to_splats(self.parameters, name=name)
