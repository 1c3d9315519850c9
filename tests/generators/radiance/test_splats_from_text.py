"""Splats from words: a tiny random model on disk through the whole run, and one that knows what it wants."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Splats
from generators.catalog import missing_need
from generators.events import Cancelled, GeneratorError, Grown, Note, Preview, Produced, Progress, Request
from generators.radiance import splats_from_text
from generators.radiance.distilling import RADIUS_M, SCALE_MAX_M, Distiller, DistillerSettings, orbiting
from generators.radiance.guidance import Distillation
from generators.radiance.losses import psnr
from generators.radiance.splats_from_text import run
from generators.radiance.text_specs import SPLATS_FROM_TEXT, SplatsFromTextParams
from tests.generators.fields.test_from_photos import Bench
from tests.generators.radiance.tiny_diffusion import Longing, tiny_pipeline

pytest.importorskip("diffusers")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries that load it
PARAMS = SplatsFromTextParams(prompt="a pear", steps=64, splats_max=300, resolution_px=24)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-diffusion"
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def named(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCENECAST_TEXT_TO_IMAGE_FOLDER", str(weights))
    return weights


def produced(params: SplatsFromTextParams, seed: int, bench: Bench) -> tuple[Splats, list[object]]:
    events: list[object] = list(run(Request(params, seed), bench))
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(last.asset, Splats)
    return last.asset, events


def test_words_become_splats_and_the_same_words_the_same(tmp_path: Path, named: Path) -> None:
    splats, events = produced(PARAMS, 5, Bench(tmp_path, wants_growth=True))
    for values in (splats.positions, splats.scales, splats.rotations, splats.opacities, splats.sh):
        assert np.isfinite(values).all()
    assert 150 < len(splats.positions) <= PARAMS.splats_max
    assert np.linalg.norm(splats.positions, axis=1).max() <= RADIUS_M * 1.0001
    assert splats.scales.max() <= SCALE_MAX_M * 1.0001 and splats.name == "a pear"
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and len(fractions) >= 3
    assert any(isinstance(event, Preview) and event.pixels.shape == (256, 256, 3) for event in events)
    assert sum(isinstance(event, Grown) for event in events) == PARAMS.steps + 1 and isinstance(events[-2], Grown)
    told = " ".join(event.text for event in events if isinstance(event, Note))
    assert "tiny-diffusion, 64 steps of" in told and "on cpu" in told and "1 m" in told
    again, _ = produced(PARAMS, 5, Bench(tmp_path, wants_previews=False))
    for name in ("positions", "scales", "rotations", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(splats, name), getattr(again, name))
    other, _ = produced(PARAMS, 6, Bench(tmp_path))
    assert other.positions.shape != splats.positions.shape or (other.positions != splats.positions).any()


def test_a_model_that_wants_one_picture_gets_it_from_every_side() -> None:
    import torch

    y, x = np.mgrid[:16, :16] - 7.5
    disc = (x * x + y * y < 4.5**2)[None]
    target = np.where(disc, np.array([0.9, 0.45, 0.1])[:, None, None], 0.5).astype(np.float32)
    guide = Distillation(Longing(torch.from_numpy(target)), "a ball", "", guidance=10.0, seed=1, device="cpu")
    distiller = Distiller(guide, DistillerSettings(steps=200, splats_max=400, resolution_px=16, seed=2))
    grey = np.full(3, 0.5, np.float32)
    cameras = [orbiting(azimuth, 20.0, 1.65, 45.0, 16) for azimuth in (0.0, 90.0, 200.0)]

    def likeness() -> float:
        return float(np.mean([psnr(distiller.render(camera, grey), target) for camera in cameras]))

    before = likeness()
    while not distiller.done:
        distiller.step()
    assert likeness() > before + 4
    for camera in cameras:
        middle = distiller.render(camera, grey)[:, 6:10, 6:10].mean((1, 2))
        np.testing.assert_allclose(middle, [0.9, 0.45, 0.1], atol=0.2)


def test_cancelling_and_finishing_early(tmp_path: Path, named: Path) -> None:
    with pytest.raises(Cancelled):
        list(run(Request(PARAMS, 1), Bench(tmp_path, checks_left=40)))
    splats, events = produced(PARAMS, 1, Bench(tmp_path, finishing=True))
    assert len(splats.positions) == 150
    assert any(isinstance(event, Note) and "finished early, at step 0 of 64" in event.text for event in events)


def test_a_run_that_was_ended_goes_on_and_ends_the_same(
    tmp_path: Path, named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splats_from_text, "CHECKPOINT_SECS", -1.0)
    monkeypatch.setattr(splats_from_text, "PREVIEW_SECS", -1.0)
    whole, _ = produced(PARAMS, 5, Bench(tmp_path / "whole", wants_previews=False))
    scratch = tmp_path / "scratch"
    events = run(Request(PARAMS, 5), Bench(scratch, wants_previews=False))
    for event in events:
        if isinstance(event, Progress) and event.stage.startswith("step 40"):
            break
    events.close()  # type: ignore[attr-defined]
    resumed, told = produced(PARAMS, 5, Bench(scratch, wants_previews=False))
    assert any(isinstance(e, Note) and e.text == "taken up again at step 40" for e in told)
    stages = [event.stage for event in told if isinstance(event, Progress) and event.stage.startswith("step")]
    assert stages[0].startswith("step 41,") and stages[-1].startswith("step 64,")
    for name in ("positions", "scales", "rotations", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))


@pytest.mark.parametrize("damage", ["other words", "cut", "no state"])
def test_what_cannot_be_taken_up_is_begun_anew_in_words(
    tmp_path: Path, named: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(splats_from_text, "CHECKPOINT_SECS", -1.0)
    few = SplatsFromTextParams(prompt="a pear", steps=3, splats_max=100, resolution_px=16)
    whole, _ = produced(few, 5, Bench(tmp_path / "whole", wants_previews=False))
    saved = tmp_path / "whole" / splats_from_text.CHECKPOINT_NAME
    if damage == "other words":
        produced(SplatsFromTextParams(prompt="an apple", steps=3, splats_max=100, resolution_px=16), 5,
                 Bench(tmp_path / "whole", wants_previews=False))  # fmt: skip
        words = "begun anew: checkpoint .* belongs to another model, other words or settings"
    else:
        words = "begun anew: checkpoint .* is damaged"
        if damage == "cut":
            saved.write_bytes(saved.read_bytes()[:-300])
        else:
            np.savez(saved, cloud=np.zeros(3))
    again, told = produced(few, 5, Bench(tmp_path / "whole", wants_previews=False))
    assert any(isinstance(e, Note) and re.match(words, e.text) for e in told), told
    np.testing.assert_array_equal(again.positions, whole.positions)


def test_a_long_step_does_not_hold_up_cancelling(tmp_path: Path, named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: Distiller) -> None:
        begun.set()
        assert go_on.wait(120)

    class Stopped(Bench):
        def check(self) -> None:
            if begun.is_set():
                raise Cancelled

    monkeypatch.setattr(Distiller, "step", slow)
    with pytest.raises(Cancelled):
        list(run(Request(PARAMS, 1), Stopped(tmp_path)))
    assert begun.is_set() and not go_on.is_set(), "the step was not waited for"
    go_on.set()


def test_missing_weights_and_words_are_told(tmp_path: Path, named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_need(SPLATS_FROM_TEXT, []) == ""
    with pytest.raises(GeneratorError, match="prompt is empty"):
        list(run(Request(SplatsFromTextParams(), 0), Bench(tmp_path)))
    monkeypatch.delenv("SCENECAST_TEXT_TO_IMAGE_FOLDER")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    reason = missing_need(SPLATS_FROM_TEXT, [])
    assert "Stable Diffusion" in reason and "text_to_image_folder" in reason and "RAIL" in reason
    with pytest.raises(GeneratorError, match="text_to_image_folder"):
        list(run(Request(PARAMS, 0), Bench(tmp_path)))


def test_a_cached_model_is_named_after_its_repository(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "hub" / "models--stable-diffusion-v1-5--stable-diffusion-v1-5" / "snapshots" / "0a1b"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(weights)
    monkeypatch.delenv("SCENECAST_TEXT_TO_IMAGE_FOLDER", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    _, name = splats_from_text._made(PARAMS, 1, "cpu")
    assert name == "stable-diffusion-v1-5/stable-diffusion-v1-5"
