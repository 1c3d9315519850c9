"""Small clouds with known truth, and a way to run an editor on them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engines.assets import Array, Asset, FloatArray, Splats
from engines.splat_values import dc_from_colour, unit_quaternions
from generators.events import Note, Preview, Produced, Progress, Request
from generators.radiance.cameras import Camera, looking_at
from generators.spec import Params
from generators.splats.pictures import rendered


@dataclass
class Quiet:
    """A context that counts how often it is asked, and may cancel."""

    device: str = "cpu"
    scratch: Path = field(default_factory=Path)
    wants_previews: bool = False
    asked: int = 0

    def check(self) -> None:
        self.asked += 1


@dataclass
class Done:
    """What a run said and gave."""

    results: dict[str, Splats]
    notes: list[str]
    previews: list[Array]
    fractions: list[float]

    @property
    def cloud(self) -> Splats:
        return self.results["result"]


def edited(editor: str, params: Params, seed: int = 1, previews: bool = False, **inputs: Asset) -> Done:
    """Run `generators.splats.<editor>` on the inputs."""
    run = importlib.import_module(f"generators.splats.{editor}").run
    events = list(run(Request(params, seed, inputs), Quiet(wants_previews=previews)))
    results = {e.name: e.asset for e in events if isinstance(e, Produced) and isinstance(e.asset, Splats)}
    return Done(
        results,
        [event.text for event in events if isinstance(event, Note)],
        [event.pixels for event in events if isinstance(event, Preview)],
        [event.fraction for event in events if isinstance(event, Progress)],
    )


def random_cloud(count: int = 500, *, harmonics: int = 4, seed: int = 0, size_m: float = 0.08) -> Splats:
    """Overlapping splats of all shapes, colours and opacities around the origin, within about 2 m."""
    rng = np.random.default_rng(seed)
    return Splats(
        positions=rng.normal(0, 0.6, (count, 3)).astype(np.float32),
        rotations=unit_quaternions(rng.normal(size=(count, 4))),
        scales=(size_m * np.exp(rng.normal(0, 0.6, (count, 3)))).astype(np.float32),
        opacities=rng.uniform(0.05, 0.98, count).astype(np.float32),
        sh=rng.normal(0, 0.35, (count, harmonics, 3)).astype(np.float32),
        name="random",
    )


def sheet(
    count: int, *, seed: int = 0, side_m: float = 2.0, lift: Any = None, colour: Any = None, opacity: float = 0.9
) -> Splats:
    """Flat splats on a floor y = lift(x, z), with colours of (x, z): a surface of `count` splats."""
    rng = np.random.default_rng(seed)
    x, z = rng.uniform(-side_m / 2, side_m / 2, (2, count))
    y = np.zeros(count) if lift is None else lift(x, z)
    shade = np.full((count, 3), 0.5) if colour is None else colour(x, z)
    spacing = side_m / np.sqrt(count)
    return Splats(
        positions=np.stack([x, y, z], -1).astype(np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        scales=np.tile(np.array([spacing * 0.7, spacing * 0.1, spacing * 0.7], np.float32), (count, 1)),
        opacities=np.full(count, opacity, np.float32),
        sh=dc_from_colour(shade)[:, None],
        name="sheet",
    )


def waves(x: Array, z: Array) -> Array:
    """A colour pattern without symmetry, [..., 3] in 0..1."""
    return np.stack(
        [0.5 + 0.4 * np.sin(4 * x + z), 0.5 + 0.4 * np.sin(3 * z - 2 * x), 0.5 + 0.4 * np.cos(5 * x * z)], -1
    )


def view(cloud: Splats, eye: tuple[float, float, float] = (0.8, 1.6, 3.0), size_px: int = 96) -> FloatArray:
    """The cloud from somewhere, over black, float32 [3, H, W]."""
    camera = looking_at(eye, (0.0, 0.0, 0.0), fov_y_deg=50, width=size_px, height=size_px)
    return rendered(cloud, camera, 0.0)


def camera_moved(camera: Camera, scale: float, matrix: Array, shift: Array) -> Camera:
    """The camera that sees a moved proper cloud as `camera` sees the one before."""
    from dataclasses import replace

    world = np.eye(4)
    rotation = camera.camera_from_world[:3, :3] @ matrix.T
    eye = scale * (matrix @ camera.position) + shift
    world[:3, :3] = rotation
    world[:3, 3] = -rotation @ eye
    return replace(camera, camera_from_world=world)
