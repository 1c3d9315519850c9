"""Training learns, repeats itself on any number of threads, stops, saves and resumes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numba
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from engines.assets import Field, FloatArray
from generators.fields import checkpoint
from generators.fields.engine import Batch, NumbaEngine
from generators.fields.rays import Rays
from generators.fields.rendering import opened, render
from generators.fields.settings import FieldSettings
from generators.fields.trainer import PARTS, FieldTrainer
from generators.radiance.archive import CaptureError
from generators.radiance.photographs import Photograph
from tests.generators.elsewhere import ELSEWHERE, elsewhere
from tests.generators.fields.lattices import ROOM, SMALL

TRAIN, HELD_OUT = [v for i, v in enumerate(ROOM) if i != 4], [ROOM[4]]


def bits(field: Field) -> bytes:
    return b"".join(part.tobytes() for part in (field.bricks, field.occupied, field.density, field.sh))


def trained(**changes: object) -> FieldTrainer:
    trainer = FieldTrainer(TRAIN, replace(SMALL, **changes))
    for _ in trainer:
        pass
    return trainer


def test_held_out_views_get_better() -> None:
    trainer = FieldTrainer(TRAIN, replace(SMALL, iterations=120))
    before = trainer.evaluate(HELD_OUT)
    reports = list(trainer)
    after = trainer.evaluate(HELD_OUT)
    assert [report.step for report in reports] == list(range(1, 121))
    assert after.psnr > before.psnr + 5 and after.psnr > 20 and after.ssim > before.ssim
    assert reports[0].seconds.keys() == set(PARTS)
    assert trainer.level == 1 and trainer.lattice.cells == 64
    assert reports[-1].loss < 0.3 * reports[0].loss


def test_the_asset_shows_what_the_trainer_shows() -> None:
    trainer = trained()
    field = trainer.field("room")
    assert field.contracted and field.sh.dtype == np.float16 and field.backdrop is not None
    assert field.seen_from_m == pytest.approx(np.mean([view.camera.position for view in TRAIN], axis=0))
    camera = HELD_OUT[0].camera
    shown, again = trainer.render(camera), render(opened(field), camera)
    np.testing.assert_allclose(again.colour, shown.colour, atol=4e-3)
    np.testing.assert_allclose(again.opacity, shown.opacity, atol=2e-3)
    known = (shown.depth > 0) & (again.depth > 0)
    assert known.mean() > 0.8
    np.testing.assert_allclose(np.median(again.depth[known]), np.median(shown.depth[known]), rtol=0.01)
    assert 1.5 < np.median(again.depth[known]) < 6  # the room is about 3.3 away


@pytest.mark.skipif(numba.get_num_threads() < 2, reason="needs two threads")
def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads() -> None:
    threads = numba.get_num_threads()
    two = bits(trained().field())
    numba.set_num_threads(1)
    try:
        one = bits(trained().field())
    finally:
        numba.set_num_threads(threads)
    assert one == two != bits(trained(seed=4).field())


@pytest.mark.parametrize(("stop", "batch_rays"), [(20, 2048), (45, 2048), (33, 320)])
def test_a_resumed_run_ends_as_if_never_interrupted(tmp_path: Path, stop: int, batch_rays: int) -> None:
    settings = replace(SMALL, batch_rays=batch_rays)
    cut = FieldTrainer(TRAIN, settings)
    for _ in range(stop):
        cut.step()
    checkpoint.save(cut, tmp_path / "field.npz")
    resumed = FieldTrainer(TRAIN, settings)
    checkpoint.load(resumed, tmp_path / "field.npz")
    assert resumed.iteration == stop
    for _ in resumed:
        pass
    assert bits(resumed.field()) == bits(trained(batch_rays=batch_rays).field())


def test_a_step_is_parted_into_batches_each_of_which_moves_the_field() -> None:
    class Engine(NumbaEngine):
        calls: ClassVar[list[tuple[str, float]]] = []

        def rays(self, rays: Rays, batch: Batch, settings: FieldSettings) -> tuple[FloatArray, NDArray[np.int32]]:
            self.calls.append(("rays", len(batch.picks)))
            return super().rays(rays, batch, settings)

        def smooth(self, pulls: FloatArray, turn: int, turns: int) -> None:
            self.calls.append(("smooth", turn))
            super().smooth(pulls, turn, turns)

        def optimise(self, rates: FloatArray) -> None:
            self.calls.append(("optimise", 0))
            super().optimise(rates)

    trainer = FieldTrainer(TRAIN, replace(SMALL, level_rays=(960, 960), batch_rays=320))
    trainer._engine = Engine(trainer.lattice)
    report = trainer.step()
    assert [name for name, _ in Engine.calls] == ["rays", "smooth", "optimise"] * 3
    assert all(0 < count <= 320 for name, count in Engine.calls if name == "rays")  # patches reach over the edges
    assert [turn for name, turn in Engine.calls if name == "smooth"] == [0, 1, 0]
    assert report.step == 1 and set(report.seconds) == set(PARTS)


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "field.npz"
    trainer = FieldTrainer(TRAIN, SMALL)
    trainer.step()
    checkpoint.save(trainer, path)
    with pytest.raises(CaptureError, match="other photographs or settings"):
        checkpoint.load(FieldTrainer(TRAIN, replace(SMALL, seed=9)), path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", whole[:-40] + b"\0" * 40):
        path.write_bytes(content)
        fresh = FieldTrainer(TRAIN, SMALL)
        with pytest.raises(CaptureError, match="damaged"):
            checkpoint.load(fresh, path)
        assert fresh.iteration == 0


def test_memory_is_bounded_by_the_number_of_bricks() -> None:
    free, held = trained(iterations=40), trained(iterations=40, bricks_max=300)
    assert len(held.lattice) < len(free.lattice) and len(held.lattice) <= 400


def test_cut_out_photographs_leave_the_rest_transparent() -> None:
    cut = []
    for photograph in TRAIN:
        _, height, width = photograph.pixels.shape
        y, x = np.mgrid[:height, :width]
        alpha = np.where(np.hypot(x - width / 2, y - height / 2) < 12, 255, 0).astype(np.uint8)
        cut.append(Photograph(photograph.name, photograph.camera, photograph.pixels, alpha))
    trainer = FieldTrainer(cut, replace(SMALL, iterations=150))
    for _ in trainer:
        pass
    assert trainer.backdrop is None
    view = trainer.render(cut[3].camera)
    middle, corner = view.opacity[18:22, 22:26].mean(), view.opacity[:5, :5].mean()
    assert middle > 0.8 and corner < 0.1


def test_stopping_early_keeps_what_there_is() -> None:
    trainer = FieldTrainer(TRAIN, SMALL)
    trainer.step()
    trainer.stop_early()
    assert trainer.done and list(trainer) == [] and len(trainer.field().bricks) > 0
    with pytest.raises(ValueError, match="at least one"):
        FieldTrainer([], SMALL)


def test_a_whole_run_on_another_device_ends_like_the_processor_s() -> None:
    settings = replace(SMALL, iterations=6, level_rays=(128, 128))
    want = FieldTrainer(TRAIN, settings)
    for _ in want:
        pass
    with elsewhere() as watch:
        got = FieldTrainer(TRAIN, settings, device=ELSEWHERE)
        for _ in got:
            pass
        quality, cells = got.evaluate(HELD_OUT), got.lattice.cells
    assert watch.calls > 1000
    assert got.level == want.level and cells == want.lattice.cells
    assert abs(quality.psnr - want.evaluate(HELD_OUT).psnr) < 0.5


@pytest.mark.gpu
@pytest.mark.parametrize("index", [0, 1])
def test_a_card_learns_what_the_processor_learns(index: int) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.device_count() <= index:
        pytest.skip(f"needs {index + 1} CUDA devices")
    settings = replace(SMALL, iterations=120)
    qualities = []
    for device in ("cpu", f"cuda:{index}"):
        trainer = FieldTrainer(TRAIN, settings, device=device)
        for _ in trainer:
            pass
        qualities.append(trainer.evaluate(HELD_OUT).psnr)
    assert qualities[1] > 20 and abs(qualities[1] - qualities[0]) < 1
    assert torch.cuda.current_device() == 0


@pytest.mark.gpu
def test_a_card_s_memory_is_given_back() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    held = torch.cuda.memory_allocated(0)
    trainer = FieldTrainer(TRAIN, replace(SMALL, iterations=60), device="cuda:0")
    for _ in trainer:
        pass
    assert torch.cuda.max_memory_allocated(0) - held < 4 * 2**30
    del trainer
    assert torch.cuda.memory_allocated(0) <= held + 2**20
