"""Training learns, repeats itself, stops, saves and resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from generators.radiance import checkpoint
from generators.radiance.archive import CaptureError
from generators.radiance.parameters import Parameters
from generators.radiance.photographs import Photograph
from generators.radiance.trainer import Trainer, TrainerSettings, View, halved, normalisation
from tests.generators.radiance.scenes import photographs_of, random_cloud, textured_room

VIEWS = photographs_of(textured_room(2000), 9, width=48, height=40, arc_deg=60)
TRAIN, HELD_OUT = [v for i, v in enumerate(VIEWS) if i != 4], [VIEWS[4]]
SHORT = TrainerSettings(iterations=40, splats_max=700, sh_degree=1, refine_every=10, seed=3)


def bits(parameters: Parameters) -> bytes:
    return b"".join(array.tobytes() for _, array in parameters.arrays())


@pytest.mark.parametrize("strategy", ["mcmc", "default"])
def test_held_out_views_get_better(strategy: str) -> None:
    settings = msgspec.structs.replace(SHORT, iterations=120, strategy=strategy)
    trainer = Trainer(TRAIN, settings)
    before = trainer.evaluate(HELD_OUT)
    reports = list(trainer)
    after = trainer.evaluate(HELD_OUT)
    assert [report.step for report in reports] == list(range(1, 121))
    assert after.psnr > before.psnr + 2 and after.psnr > 20 and after.ssim > before.ssim
    assert all(report.splats <= 700 for report in reports)
    assert reports[0].seconds.keys() == {"render", "loss", "backward", "optimise"}
    splats = trainer.splats("room")
    assert len(splats.positions) == reports[-1].splats and np.isfinite(splats.positions).all()
    # the cloud is back in the world of the cameras
    assert np.abs(np.median(splats.positions, axis=0)).max() < 1.5


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, second = Trainer(TRAIN, SHORT), Trainer(TRAIN, SHORT)
    other = Trainer(TRAIN, msgspec.structs.replace(SHORT, seed=4))
    for trainer in (first, second, other):
        for _ in trainer:
            pass
    assert bits(first.parameters) == bits(second.parameters) != bits(other.parameters)


@pytest.mark.parametrize("exposure", [False, True])
def test_a_resumed_run_ends_as_if_never_interrupted(tmp_path: Path, exposure: bool) -> None:
    settings = msgspec.structs.replace(SHORT, exposure=exposure, background="random")
    whole, cut = Trainer(TRAIN, settings), Trainer(TRAIN, settings)
    for _ in whole:
        pass
    for _ in range(23):
        cut.step()
    checkpoint.save(cut, tmp_path / "state.npz")
    resumed = Trainer(TRAIN, settings, initial=random_cloud(1, sh_count=4))
    checkpoint.load(resumed, tmp_path / "state.npz")
    assert resumed.iteration == 23
    for _ in resumed:
        pass
    assert bits(resumed.parameters) == bits(whole.parameters)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_training_further_takes_up_a_shorter_run(tmp_path: Path) -> None:
    trainer = Trainer(TRAIN, SHORT, initial=random_cloud(50, sh_count=4))
    trainer.step()
    checkpoint.save(trainer, tmp_path / "state.npz")
    longer = Trainer(TRAIN, msgspec.structs.replace(SHORT, iterations=90), initial=random_cloud(1, sh_count=4))
    checkpoint.load(longer, tmp_path / "state.npz")
    assert len(longer.parameters) == 50 and not longer.done


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    trainer = Trainer(TRAIN, SHORT, initial=random_cloud(50, sh_count=4))
    path = tmp_path / "state.npz"
    checkpoint.save(trainer, path)
    other = Trainer(TRAIN, msgspec.structs.replace(SHORT, seed=9), initial=random_cloud(5, sh_count=4))
    with pytest.raises(CaptureError, match="belongs to other photographs or settings"):
        checkpoint.load(other, path)
    content = path.read_bytes()
    for broken in (b"", content[:100], content[: len(content) // 2], b"\x80\x04K\x01."):
        path.write_bytes(broken)
        with pytest.raises(CaptureError, match="is damaged"):
            checkpoint.load(trainer, path)


def test_stopping_early_keeps_what_there_is() -> None:
    trainer = Trainer(TRAIN, SHORT, initial=random_cloud(50, sh_count=4))
    for report in trainer:
        if report.step == 5:
            trainer.stop_early()
    assert trainer.iteration == 5 and trainer.done and len(trainer.splats().positions) >= 50


def test_exposure_differences_do_not_harm_the_cloud() -> None:
    rng = np.random.default_rng(0)
    uneven = [
        replace(view, pixels=np.clip(view.pixels * rng.uniform(0.6, 1.0), 0, 255).astype(np.uint8)) for view in TRAIN
    ]
    settings = msgspec.structs.replace(SHORT, iterations=120)
    scores = []
    for exposure in (False, True):
        trainer = Trainer(uneven, msgspec.structs.replace(settings, exposure=exposure))
        for _ in trainer:
            pass
        similarity = [trainer.evaluate([view]).ssim for view in uneven]
        scores.append(float(np.mean(similarity)))
        if trainer.exposure is not None:
            levels = np.array([view.pixels.mean() for view in uneven])
            gains = np.exp(trainer.exposure.values[:, 0]).mean(1)
            assert np.corrcoef(levels, gains)[0, 1] > 0.6
    assert scores[1] > scores[0] - 0.02


def test_a_cut_out_subject_trains_over_random_backgrounds_without_a_halo() -> None:
    cut = []
    for view in TRAIN:
        alpha = np.zeros(view.pixels.shape[1:], np.uint8)
        alpha[10:30, 14:34] = 255
        cut.append(replace(view, alpha=alpha))
    trainer = Trainer(cut, msgspec.structs.replace(SHORT, iterations=150, background="random"))
    for _ in trainer:
        pass
    white = trainer.render(cut[3].camera, background=np.ones(3, np.float32))
    black = trainer.render(cut[3].camera, background=np.zeros(3, np.float32))
    seen_through = (white - black).mean(0)
    outside = cut[3].alpha == 0
    assert seen_through[outside].mean() > 0.8 and seen_through[~outside].mean() < 0.35


def test_coarse_pictures_come_first() -> None:
    trainer = Trainer(TRAIN, msgspec.structs.replace(SHORT, coarse_until=0.5), initial=random_cloud(300, sh_count=4))
    for _ in trainer:
        pass
    assert trainer.done


def test_halving_keeps_the_view() -> None:
    view = replace(
        VIEWS[0], pixels=VIEWS[0].pixels[:, :39, :47].copy(), camera=replace(VIEWS[0].camera, width=47, height=39)
    )
    small = halved(view)
    assert small.pixels.shape == (3, 19, 23) and (small.camera.width, small.camera.height) == (23, 19)
    assert small.camera.fx == pytest.approx(view.camera.fx / 2) and small.camera.cx == pytest.approx(view.camera.cx / 2)
    expected = view.pixels[:, :2, :2].mean((1, 2))
    np.testing.assert_allclose(small.pixels[:, 0, 0], expected, atol=0.51)


def test_normalisation_puts_the_scene_at_the_origin_and_pictures_stay() -> None:
    cameras = [view.camera for view in VIEWS]
    normal = normalisation(cameras)
    inside = [normal.camera(camera) for camera in cameras]
    assert np.mean([np.linalg.norm(camera.position) for camera in inside]) == pytest.approx(1)
    point = np.array([0.3, -0.2, 0.4])
    for camera, moved in zip(cameras, inside, strict=True):
        world = camera.camera_from_world @ np.append(point, 1)
        scene = moved.camera_from_world @ np.append((point - normal.centre) / normal.scale, 1)
        np.testing.assert_allclose(world[:2] / world[2], scene[:2] / scene[2], atol=1e-9)


def test_transparent_targets_show_the_background() -> None:
    photograph: Photograph = VIEWS[0]
    alpha = np.zeros(photograph.pixels.shape[1:], np.uint8)
    view = View(photograph.camera, photograph.pixels, alpha, None)
    background = np.array([0.1, 0.2, 0.3], np.float32)
    np.testing.assert_allclose(view.target(background), np.broadcast_to(background[:, None, None], (3, 40, 48)))


def test_no_photographs_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one photograph"):
        Trainer([], SHORT)
