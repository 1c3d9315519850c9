"""Training on a card: its loss, gradients and steps against the processor's, on a stand-in; and truly, on a card."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec import structs

from engines.assets import Capture
from generators.events import Cancelled, Request
from generators.radiance import checkpoint, losses, splats_from_photos, trainer
from generators.radiance.adam import Adam, Rates
from generators.radiance.capture import read_capture
from generators.radiance.parameters import Parameters
from generators.radiance.photographs import held_out, load_photographs
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.rasterizer.gsplat_backend import GsplatBackend, missing
from generators.radiance.rasterizer.gsplat_calls import Leaves
from generators.radiance.resident import Resident, photometric
from generators.radiance.specs import SplatsFromPhotosParams
from generators.radiance.strategy import Default, Mcmc
from generators.radiance.trainer import Trainer, TrainerSettings
from tests.generators.elsewhere import ELSEWHERE, elsewhere
from tests.generators.radiance.captures import write_folder
from tests.generators.radiance.rasterizer import stand_in
from tests.generators.radiance.rasterizer.stand_in import forget, installed
from tests.generators.radiance.scenes import (
    SHARED,
    front_camera,
    photographs_of,
    random_cloud,
    relative_error,
    textured_room,
)
from tests.generators.radiance.test_splats_from_photos import Bench

__all__ = ["forget"]

SMALL = TrainerSettings(iterations=8, splats_max=60, sh_degree=1, refine_every=3, seed=3)
BLACK = np.zeros(3, np.float32)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, forget: None) -> Iterator[str]:
    """A card that is none: gsplat's stand-in and torch on the processor; what is trained there stays there."""
    installed(monkeypatch)
    monkeypatch.setattr(stand_in, "OPAQUE", 0.0)
    monkeypatch.setattr(trainer, "backend_for", lambda device: GsplatBackend(device))
    yield "cpu"


@pytest.mark.parametrize("masked", [False, True])
def test_the_loss_is_the_processor_s(masked: bool) -> None:
    rng = np.random.default_rng(0)
    image, target = rng.random((2, 3, 20, 26), np.float32)
    mask = rng.random((20, 26)) < 0.7 if masked else None
    wanted = losses.photometric(image, target, ssim_weight=0.3, mask=mask)
    leaf = torch.from_numpy(image).requires_grad_(True)
    there = None if mask is None else torch.from_numpy(mask)
    loss = photometric(leaf, torch.from_numpy(target), ssim_weight=0.3, mask=there)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(wanted.loss, rel=1e-5)
    assert leaf.grad is not None and relative_error(leaf.grad.numpy(), wanted.gradient) < 1e-4


def test_gradients_are_the_processor_s(card: str) -> None:
    cloud, camera = random_cloud(120), front_camera()
    target = np.random.default_rng(0).random((3, camera.height, camera.width), np.float32)
    here = Resident(card)
    loss, pull = here.gradients(cloud, Adam.fresh(cloud), Rules(), camera, target, BLACK, mask=None, ssim_weight=0.2)
    backend = NumbaBackend()
    projection = backend.project(cloud, camera, Rules())
    raster = backend.rasterize(projection, projection.colour, BLACK, camera.width, camera.height)
    compared = losses.photometric(raster.image, target)
    flat = backend.rasterize_backward(raster, compared.gradient)
    wanted = backend.project_backward(cloud, camera, Rules(), projection, flat)
    assert float(loss) == pytest.approx(compared.loss, rel=1e-4)
    assert here._leaves is not None
    for leaf, (name, array) in zip(here._leaves.all(), wanted.arrays(), strict=True):
        assert leaf.grad is not None and relative_error(leaf.grad.numpy(), array) < 5e-3, name
    seen = projection.extent[:, 0] > 0
    want = np.linalg.norm(flat.xy * [camera.width / 2, camera.height / 2], axis=1)
    drawn = pull.numpy() >= 0
    assert (drawn == seen).mean() > 0.97  # gsplat leaves out what touches no pixel, numba what is too faint
    assert relative_error(pull.numpy()[drawn & seen], want[drawn & seen]) < 5e-3


def test_a_picture_may_come_as_bytes(card: str) -> None:
    cloud, camera = random_cloud(30), front_camera(24, 20)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 24), np.uint8)
    pixels.flags.writeable = False  # as one that is mapped from disk

    def loss_of(target: np.ndarray[Any, Any]) -> float:
        loss, _ = Resident(card).gradients(
            cloud, Adam.fresh(cloud), Rules(), camera, target, BLACK, mask=None, ssim_weight=0.2
        )
        return float(loss)

    assert loss_of(pixels) == loss_of(pixels.astype(np.float32) * np.float32(1 / 255))


def stepped(cloud: Parameters, gradients: Parameters, steps: int = 3) -> tuple[Resident, Adam, Parameters, Adam]:
    """The same gradients taken by both, `steps` times."""
    rates, mcmc = Rates(), Mcmc(1000, seed=4)
    mine, theirs = cloud.take(np.arange(len(cloud))), cloud.take(np.arange(len(cloud)))
    here, adam, other = Resident("cpu"), Adam.fresh(mine), Adam.fresh(theirs)
    here._leaves = Leaves(*(tensor.requires_grad_(True) for tensor in here._sent(mine)))
    here._first, here._second = here._sent(adam.first), here._sent(adam.second)
    for _ in range(steps):
        for leaf, (_, array) in zip(here._leaves.all(), gradients.arrays(), strict=True):
            leaf.grad = torch.from_numpy(array.copy())
        here.regularise(mcmc)
        here.optimise(adam, rates)
        again = gradients.take(np.arange(len(cloud)))
        mcmc.regularise(theirs, again)
        other.step(theirs, again, rates)
    here.bring(mine, adam)
    for (name, got), (_, want) in zip(mine.arrays(), theirs.arrays(), strict=True):
        assert np.abs(got - want).max() < 1e-4, name
    return here, adam, theirs, other


def test_steps_are_the_processor_s() -> None:
    cloud, gradients = random_cloud(50, sh_count=9), random_cloud(50, sh_count=9, seed=8)
    _, adam, _, other = stepped(cloud, gradients)
    assert adam.steps == other.steps == 3
    for mine, theirs in ((adam.first, other.first), (adam.second, other.second)):
        for (name, got), (_, want) in zip(mine.arrays(), theirs.arrays(), strict=True):
            assert relative_error(got, want) < 1e-4, name


def test_faint_splats_are_shaken_as_far_as_on_the_processor() -> None:
    cloud = random_cloud(3000)
    cloud.logits[:1500] = -6.0
    cloud.logits[1500:] = 2.0
    adam, mcmc, rate = Adam.fresh(cloud), Mcmc(3000, seed=1), 1e-6
    here = Resident("cpu")
    here._leaves = Leaves(*here._sent(cloud))
    here._first, here._second, here.ahead = here._sent(adam.first), here._sent(adam.second), True
    here.disturb(mcmc, rate, 7)
    shaken, other = cloud.take(np.arange(3000)), cloud.take(np.arange(3000))
    here.bring(shaken, adam)
    mcmc.disturb(other, rate, 7)
    mine, theirs = shaken.positions - cloud.positions, other.positions - cloud.positions
    assert not mine[1500:].any() and not theirs[1500:].any()
    assert np.linalg.norm(mine) == pytest.approx(np.linalg.norm(theirs), rel=0.1)
    again = Resident("cpu")
    again._leaves = Leaves(*again._sent(cloud))
    again._first, again._second, again.ahead = again._sent(adam.first), again._sent(adam.second), True
    again.disturb(mcmc, rate, 7)
    twice = cloud.take(np.arange(3000))
    again.bring(twice, adam)
    assert np.array_equal(twice.positions, shaken.positions)


def test_what_pulls_is_gathered_for_the_strategy() -> None:
    here = Resident("cpu")
    here.observe(Mcmc(9), torch.ones(3))
    assert here.observed() is None
    for pull in ([1.0, -1.0, 0.0], [2.0, 3.0, -1.0]):
        here.observe(Default(9), torch.tensor(pull))
    observed = here.observed()
    assert observed is not None
    assert observed[0].tolist() == [3, 3, 0] and observed[1].tolist() == [2, 1, 1]
    assert here.observed() is None


ROOM = photographs_of(textured_room(600), 5, width=30, height=24)


def begun(settings: TrainerSettings, device: str, initial: Parameters | None = None) -> Trainer:
    """A trainer with seeds at random, since finding good ones takes longer than all else here."""
    if initial is None:
        initial = random_cloud(40, size=-2.5)
        initial.positions *= np.float32(0.4)
    return Trainer(ROOM[:-1], settings, device=device, initial=initial)


def trained(settings: TrainerSettings, device: str) -> Trainer:
    made = begun(settings, device)
    for _ in made:
        pass
    return made


@pytest.mark.parametrize("strategy", ["mcmc", "default"])
def test_a_whole_run_ends_where_the_processor_s_does(card: str, monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    settings = structs.replace(SMALL, strategy=strategy)
    there = begun(settings, card)
    reports = list(there)
    after = there.evaluate(ROOM[-1:])
    assert there._card is not None and [report.step for report in reports] == list(range(1, 9))
    assert reports[0].seconds.keys() == set(trainer.PARTS)
    monkeypatch.setattr(trainer, "backend_for", lambda _: NumbaBackend())
    here = trained(settings, "cpu")
    assert here._card is None
    assert abs(after.psnr - here.evaluate(ROOM[-1:]).psnr) < 1.5
    assert there.adam.steps == here.adam.steps == 8
    assert len(there.adam.ids) == len(there.parameters) == len(there.adam.first)


def test_a_run_that_is_taken_up_again_goes_on_alike(card: str, tmp_path: Path) -> None:
    straight = trained(SMALL, card)
    broken = begun(SMALL, card)
    for _ in range(4):
        broken.step()
    checkpoint.save(broken, tmp_path / "saved.npz")
    resumed = begun(SMALL, card, checkpoint.cloud_in(tmp_path / "saved.npz"))
    checkpoint.load(resumed, tmp_path / "saved.npz")
    for _ in resumed:
        pass
    for (name, got), (_, want) in zip(resumed.parameters.arrays(), straight.parameters.arrays(), strict=True):
        assert relative_error(got, want) < 1e-3, name


@pytest.mark.parametrize("changes", [{"exposure": True}, {"depth_weight": 0.1}, {"normal_weight": 0.1}])
def test_what_is_compared_here_is_trained_here(card: str, changes: dict[str, float]) -> None:
    settings = structs.replace(SMALL, **changes)
    assert trainer.resident_for(GsplatBackend(card), settings) is None


def test_a_whole_step_is_taken_on_the_device(card: str) -> None:
    with elsewhere() as watch:
        made = begun(structs.replace(SMALL, iterations=2, refine_every=1), ELSEWHERE)
        reports = [made.step() for _ in range(2)]
        count = len(made.parameters)
    assert watch.calls > 500 and all(np.isfinite(report.loss) for report in reports) and count > 20


# -- on a card -----------------------------------------------------------------------------------------------------


@pytest.fixture
def cuda() -> str:
    pytest.importorskip("gsplat", reason="needs the extra gpu")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    missing.cache_clear()
    assert missing("cuda:0") is None
    return "cuda:0"


@pytest.mark.gpu
@pytest.mark.timeout(300)
@pytest.mark.parametrize("strategy", ["mcmc", "default"])
def test_the_fox_trains_on_a_card(cuda: str, strategy: str) -> None:
    fox = SHARED / "fox"
    if not fox.exists():
        pytest.skip(f"needs the photographs in {fox.name}")
    photographs, _ = load_photographs(read_capture(fox), longest_side_px=240)
    kept = list(held_out(len(photographs), 8))
    views = [p for p, held in zip(photographs, kept, strict=True) if not held]
    judged = [p for p, held in zip(photographs, kept, strict=True) if held]
    torch.cuda.reset_peak_memory_stats(0)
    settings = TrainerSettings(iterations=1200, splats_max=30_000, strategy=strategy)  # type: ignore[arg-type]
    made = Trainer(views, settings, device=cuda)
    for _ in made:
        pass
    assert made._card is not None and made.evaluate(judged).psnr > 27
    assert torch.cuda.max_memory_allocated(0) < 2 * 2**30
    positions = made.parameters.positions
    assert np.isfinite(positions).all() and len(positions) <= 30_000


@pytest.mark.gpu
def test_a_run_on_a_card_is_cancelled_within_a_second(cuda: str, tmp_path: Path) -> None:
    cancelled = 0.0

    class Stopped(Bench):
        def check(self) -> None:
            nonlocal cancelled
            if time.monotonic() > began + 5.0:
                cancelled = cancelled or time.monotonic()
                raise Cancelled

    params = SplatsFromPhotosParams(resolution_px=96, iterations=100_000, splats_max=100_000)
    asked = Request(params, 5, {"photos": Capture(write_folder(tmp_path / "scene", ROOM))})
    bench, began = Stopped(tmp_path / "scratch", device=cuda), time.monotonic()
    bench.scratch.mkdir()
    with pytest.raises(Cancelled):
        list(splats_from_photos.run(asked, bench))
    assert cancelled and time.monotonic() - cancelled < 1.0


@pytest.mark.gpu
def test_one_step_on_a_card_is_far_shorter_than_a_cancel_may_take(cuda: str) -> None:
    """A run looks for a cancel between steps, so the longest step at a million splats bounds it."""
    cloud, camera = random_cloud(1_000_000, sh_count=9, size=-5.0), front_camera(1920, 1080)
    target = np.zeros((3, 1080, 1920), np.float32)
    here, adam = Resident(cuda), Adam.fresh(cloud)
    longest = 0.0
    for step in range(4):
        began = time.perf_counter()
        loss, _ = here.gradients(cloud, adam, Rules(), camera, target, BLACK, mask=None, ssim_weight=0.2)
        here.optimise(adam, Rates())
        assert np.isfinite(float(loss))
        longest = max(longest, time.perf_counter() - began) if step else 0.0
    assert longest < 1.0
