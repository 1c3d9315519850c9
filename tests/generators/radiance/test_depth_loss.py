"""Depth is held to: exact gradients, honest targets, better surfaces, and nothing at all when it is off."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from engines.assets import Capture, FloatArray
from generators.events import Note, Produced, Request
from generators.radiance import checkpoint, depth_loss, splats_from_photos
from generators.radiance.depth_loss import SMALL, enlarged, halved, inverse_depth_loss, inverted, known_depth
from generators.radiance.parameters import Parameters
from generators.radiance.photographs import Photograph
from generators.radiance.rasterizer import Projection, Raster, Rules, twin
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.specs import SplatsFromPhotosParams
from generators.radiance.trainer import Trainer, TrainerSettings
from tests.generators.radiance import known_scene
from tests.generators.radiance.scenes import front_camera, random_cloud, relative_error
from tests.generators.radiance.test_splats_from_photos import Bench

BACKEND = NumbaBackend()
SEEN = known_scene.views(11, width=96, height=72)
PHOTOGRAPHS = known_scene.photographs(SEEN)
WITH_DEPTH = [replace(photo, depth=view.depth) for photo, view in zip(PHOTOGRAPHS, SEEN, strict=True)]
HELD_OUT = (2, 7)
SHORT = TrainerSettings(iterations=8, splats_max=600, sh_degree=1, refine_every=3, seed=3)


def bits(parameters: Parameters) -> bytes:
    return b"".join(array.tobytes() for _, array in parameters.arrays())


def trained(photographs: list[Photograph], settings: TrainerSettings) -> Trainer:
    trainer = Trainer([p for index, p in enumerate(photographs) if index not in HELD_OUT], settings)
    for _ in trainer:
        pass
    return trainer


def inverse_error(trainer: Trainer) -> float:
    """Mean difference of inverse depth in 1/m from the truth in views that were not trained on."""
    errors = []
    for index in HELD_OUT:
        view, camera = SEEN[index], trainer.normalisation.camera(SEEN[index].camera)
        projection = trainer.backend.project(trainer.parameters, camera, trainer.rules())
        raster = trainer.backend.rasterize(
            projection, projection.depth[:, None].copy(), np.zeros(1, np.float32), camera.width, camera.height
        )
        alpha = 1 - raster.transmittance
        counts = (view.depth > 0) & (alpha > 0.5)
        seen = alpha[counts] / (raster.image[0][counts] * trainer.normalisation.scale)
        errors.append(np.abs(seen - 1 / view.depth[counts]).mean())
    return float(np.mean(errors))


def test_the_gradient_matches_the_twin() -> None:
    cloud, camera, rules = random_cloud(120), front_camera(), Rules()
    projection = BACKEND.project(cloud, camera, rules)
    features = np.concatenate([projection.colour, projection.depth[:, None]], 1)
    raster = BACKEND.rasterize(projection, features, np.zeros(4, np.float32), camera.width, camera.height)
    rng = np.random.default_rng(2)
    inverse = rng.uniform(0.1, 0.6, raster.transmittance.shape).astype(np.float32)
    inverse[rng.random(inverse.shape) < 0.3] = 0
    held = inverse_depth_loss(raster.image[3], raster.transmittance, inverse, weight=0.7)
    grad_image = np.concatenate([np.zeros_like(raster.image[:3]), held.by_depth[None]])
    flat = BACKEND.rasterize_backward(raster, grad_image, held.by_transmittance)
    by_depth = np.ascontiguousarray(flat.features[:, 3])
    got = BACKEND.project_backward(cloud, camera, rules, projection, flat, by_depth)

    source = twin.cloud(cloud)
    ellipses = twin.project(source, camera, rules)
    image, through = twin.rasterize(
        ellipses, ellipses.depth[:, None], np.zeros(1, np.float32), camera.width, camera.height
    )
    counts = torch.from_numpy((inverse > 0) & (1 - raster.transmittance > depth_loss.OPAQUE_FROM))
    away = ((1 - through)[counts] / image[0][counts]) - torch.from_numpy(inverse)[counts]
    loss = (
        0.7
        * torch.nn.functional.huber_loss(away, torch.zeros_like(away), reduction="sum", delta=SMALL)
        / SMALL
        / inverse.size
    )
    loss.backward()  # type: ignore[no-untyped-call]
    assert held.loss == pytest.approx(float(loss.detach()), rel=1e-4) and counts.sum() > 100
    for (name, mine), (_, want) in zip(got.arrays(), source.gradients().arrays(), strict=True):
        if name == "sh":
            assert not mine.any()  # colours are not pulled at
        else:
            assert np.abs(want).max() > 0 and relative_error(mine, want) <= 1e-3, name


def test_what_is_unknown_masked_or_transparent_counts_nothing() -> None:
    depth, through = np.full((2, 2), 2.0, np.float32), np.array([[0, 0], [0, 0.6]], np.float32)
    inverse = np.array([[0, 0.4], [0.4, 0.4]], np.float32)
    mask = np.array([[True, False], [True, True]])
    held = inverse_depth_loss(depth, through, inverse, mask=mask)
    assert np.argwhere(held.by_depth).tolist() == np.argwhere(held.by_transmittance).tolist() == [[1, 0]]
    assert held.loss == pytest.approx((0.1 - SMALL / 2) / 4)


def test_small_maps_grow_exactly_on_planes_and_not_across_edges() -> None:
    rows, columns = np.mgrid[:6, :8]
    small = (0.4 + 0.01 * (columns + 0.5) + 0.02 * (rows + 0.5)).astype(np.float32)
    large = enlarged(small, 26, 33)
    v, u = np.nonzero(large)
    np.testing.assert_allclose(large[v, u], 0.4 + 0.01 * (u + 0.5) / 4 + 0.02 * (v + 0.5) / 4, rtol=1e-5)
    assert len(v) == (5 * 4) * (7 * 4)
    small[:, 4:] *= 2
    large = enlarged(small, 26, 33)
    assert not large[:, 14:18].any() and large[10, 13] > 0 and large[10, 18] > 0
    whole = np.array([[1, 1.01, 1, 2], [1, 1.01, 1, 1]], np.float32)
    np.testing.assert_allclose(halved(whole), [[1.005, 0]])
    np.testing.assert_array_equal(inverted(np.array([[2, 0, np.nan]], np.float32)), [[0.5, 0, 0]])


def test_depth_pictures_go_before_stereo_and_stereo_is_right_where_it_speaks() -> None:
    some: list[Photograph] = [WITH_DEPTH[0], *PHOTOGRAPHS[1:]]
    own = known_depth(some, None)
    assert own.inverse[0] is not None and own.inverse[1:] == [None] * 10 and "depth pictures" in own.source
    found = known_depth(PHOTOGRAPHS, None)
    assert 0.2 < found.share < 0.95
    for inverse, view in zip(found.inverse, SEEN, strict=True):
        assert inverse is not None
        known = (inverse > 0) & (view.depth > 0)
        assert np.median(np.abs(inverse[known] * view.depth[known] - 1)) < 0.02


@pytest.mark.parametrize(("kind", "share"), [("depth pictures", 0.75), ("stereo", 0.93)])
def test_depth_that_is_known_makes_better_surfaces(kind: str, share: float) -> None:
    photographs = WITH_DEPTH if kind == "depth pictures" else PHOTOGRAPHS
    settings = TrainerSettings(iterations=150, splats_max=2000, sh_degree=1, seed=1)
    held_out = [PHOTOGRAPHS[index] for index in HELD_OUT]
    free = trained(photographs, settings)
    held = trained(photographs, msgspec.structs.replace(settings, depth_weight=0.3))
    assert inverse_error(held) < share * inverse_error(free)
    assert held.evaluate(held_out).psnr > free.evaluate(held_out).psnr - 0.3


def test_depth_is_read_in_the_captures_own_units() -> None:
    for weight in (0.0, 1.0):
        trainer = Trainer(WITH_DEPTH, msgspec.structs.replace(SHORT, depth_weight=weight))
        assert abs(trainer.normalisation.scale - 1) > 0.5
        seeds = trainer.splats().positions.astype(np.float64)
        assert np.median(np.abs(known_scene.signed_distance(seeds))) < 0.02


def test_nothing_is_sought_drawn_or_compared_when_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("depth is off")

    monkeypatch.setattr(depth_loss, "known_depth", never)
    monkeypatch.setattr(depth_loss, "inverse_depth_loss", never)
    channels: list[int] = []
    trainer = Trainer(WITH_DEPTH, SHORT)
    rasterize = trainer.backend.rasterize

    def noted(projection: Projection, features: FloatArray, *rest: Any) -> Raster:
        channels.append(features.shape[1])
        assert features is projection.colour
        return rasterize(projection, features, *rest)

    monkeypatch.setattr(trainer.backend, "rasterize", noted)
    for _ in trainer:
        pass
    assert channels == [3] * SHORT.iterations and trainer.known_depth is None


@pytest.mark.parametrize("changes", [{}, {"exposure": True, "background": "random", "coarse_until": 0.5}])
def test_the_same_seed_and_a_resumed_run_give_the_same_bytes(tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = msgspec.structs.replace(SHORT, depth_weight=0.5, **changes)
    whole, cut = Trainer(WITH_DEPTH, settings), Trainer(WITH_DEPTH, settings)
    free = Trainer(WITH_DEPTH, msgspec.structs.replace(settings, depth_weight=0.0))
    for trainer in (whole, free):
        for report in trainer:
            assert np.isfinite(report.loss)
    for _ in range(5):
        cut.step()
    checkpoint.save(cut, tmp_path / "state.npz")
    resumed = Trainer(WITH_DEPTH, settings, initial=random_cloud(1, sh_count=4))
    checkpoint.load(resumed, tmp_path / "state.npz")
    for _ in resumed:
        pass
    assert bits(resumed.parameters) == bits(whole.parameters) != bits(free.parameters)


def capture_with_depth(root: Path) -> Path:
    """The views as a posed capture whose depth pictures are millimetres in 16 bits."""
    known_scene.write_capture(root, SEEN)
    (root / "depth").mkdir()
    content = json.loads((root / "transforms.json").read_text())
    content["depth_unit_scale_factor"] = 0.001
    for index, (frame, view) in enumerate(zip(content["frames"], SEEN, strict=True)):
        frame["depth_file_path"] = f"depth/{index}.png"
        Image.fromarray((view.depth * 1000 + 0.5).astype(np.uint16)).save(root / "depth" / f"{index}.png")
    (root / "transforms.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("pictures", [True, False])
def test_the_artist_is_told_what_depth_is_held_to(tmp_path: Path, pictures: bool) -> None:
    path = (capture_with_depth if pictures else partial(known_scene.write_capture, seen=SEEN))(tmp_path / "capture")
    params = SplatsFromPhotosParams(
        resolution_px=96, iterations=50, splats_max=500, sh_degree=0, depth_weight=0.3, hold_out_every=5
    )
    request = Request(params=params, seed=1, inputs={"photos": Capture(path)})
    events = list(splats_from_photos.run(request, Bench(tmp_path)))
    assert isinstance(events[-1], Produced)
    source = "the capture's depth pictures" if pictures else "depth found between the photographs"
    assert any(isinstance(e, Note) and e.text.startswith(f"depth is held to {source}, known in") for e in events)
