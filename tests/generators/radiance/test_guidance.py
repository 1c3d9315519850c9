"""Score distillation: its gradient against the one that can be worked out, and against differences; the loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.events import GeneratorError
from generators.radiance import guidance
from generators.radiance.guidance import T_LAST, T_MAX, T_MIN, Distillation, loaded, view_of
from tests.generators.elsewhere import ELSEWHERE, elsewhere
from tests.generators.radiance.tiny_diffusion import Longing, tiny_pipeline

pytest.importorskip("diffusers")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries that load it


def test_directions_have_names() -> None:
    named = [view_of(azimuth, 10) for azimuth in (0, 40, -40, 360, 90, -90, 180, -170, 400)]
    assert named == ["front"] * 4 + ["side"] * 2 + ["back"] * 2 + ["front"]
    assert view_of(180, 70) == "overhead"


@pytest.mark.parametrize("prediction", guidance.PREDICTIONS)
def test_the_gradient_of_a_known_denoiser_leads_to_its_target(prediction: str) -> None:
    import torch

    rng = np.random.default_rng(1)
    target, picture = rng.random((2, 3, 16, 16), np.float32)
    model = Longing(torch.from_numpy(target), prediction)
    guide = Distillation(model, "a pear", "", guidance=7.0, seed=3, device="cpu")
    got = guide.gradient(picture, "back", 0.0)
    kept = float(model.scheduler.alphas_cumprod[model.times[0]])
    # ε̂ - ε = √(ᾱ / (1 - ᾱ)) (z - z*), z = 2x - 1, and another 2 on the way back
    expected = (1 - kept) * np.sqrt(kept / (1 - kept)) * 4 * (picture - target) / picture.size
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2e-6)
    assert model.asked == [f"a pear, {view} view" for view in guidance.VIEWS]


def test_it_thinks_where_the_model_is() -> None:
    import torch

    rng = np.random.default_rng(1)
    target, picture = rng.random((2, 3, 16, 16), np.float32)

    def thought(device: str) -> Any:
        model = Longing(torch.from_numpy(target).to(device), "v_prediction")
        guide = Distillation(model, "a pear", "", guidance=7.0, seed=3, device=device)
        return guide.gradient(picture, "back", 0.0)

    want = thought("cpu")
    with elsewhere() as watch:
        got = thought(ELSEWHERE)
    assert watch.calls > 30 and torch.float64 not in watch.dtypes
    np.testing.assert_allclose(got, want, atol=1e-7)


@pytest.mark.gpu
def test_a_card_thinks_as_the_processor_does() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    picture = np.random.default_rng(0).random((3, 24, 24), np.float32)
    gradients = []
    for device in ("cpu", "cuda:0"):
        guide = Distillation(tiny_pipeline().to(device), "a pear", "", guidance=5.0, seed=1, device=device)
        gradients.append(guide.gradient(picture, "front", 0.0))
    assert np.linalg.norm(gradients[1] - gradients[0]) < 2e-2 * np.linalg.norm(gradients[0])


def test_noise_becomes_less_and_stays_within_its_bounds() -> None:
    import torch

    model = Longing(torch.zeros(3, 16, 16))
    guide = Distillation(model, "a pear", "", guidance=7.0, seed=3, device="cpu")
    picture = np.zeros((3, 16, 16), np.float32)
    for fraction, highest in ((0.0, T_MAX), (1.0, T_LAST)):
        model.times.clear()
        for _ in range(150):
            guide.gradient(picture, "front", fraction)
        assert min(model.times) >= 1000 * T_MIN and 900 * highest < max(model.times) <= 1000 * highest


def test_the_way_back_through_the_encoder_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    pipeline = tiny_pipeline()
    guide = Distillation(pipeline, "a pear", "", guidance=5.0, seed=1, device="cpu")
    assert guide.side_px == 16
    pull = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    monkeypatch.setattr(guide, "_pull", lambda *_: pull)
    rng = np.random.default_rng(0)
    picture = rng.random((3, 24, 24), np.float32)
    towards = rng.standard_normal(picture.shape).astype(np.float32)

    def value(x: Any) -> float:
        with torch.no_grad():
            sized = torch.nn.functional.interpolate(
                torch.from_numpy(x)[None], (16, 16), mode="bilinear", antialias=True
            )
            latents = pipeline.vae.encode(2 * sized - 1).latent_dist.mode() * pipeline.vae.config.scaling_factor
            return float((latents.double() * pull).sum())

    step = np.float32(1e-2)
    slope = (value(picture + step * towards) - value(picture - step * towards)) / (2 * step)
    assert (guide.gradient(picture, "front", 0.0) * towards).sum() == pytest.approx(slope, rel=2e-2)


def test_weights_in_half_precision_are_used_in_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    tiny_pipeline().to(torch.float16).save_pretrained(tmp_path)
    monkeypatch.setenv("SCENECAST_TEXT_TO_IMAGE_FOLDER", str(tmp_path))
    pipeline, _ = loaded("cpu")
    parts = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    assert {weights.dtype for part in parts for weights in part.parameters()} == {torch.float32}
    guide = Distillation(pipeline, "a pear", "", guidance=5.0, seed=1, device="cpu")
    assert np.isfinite(guide.gradient(np.full((3, 24, 24), 0.5, np.float32), "front", 0.0)).all()


def test_what_cannot_be_used_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENECAST_TEXT_TO_IMAGE_FOLDER", str(tmp_path))
    with pytest.raises(GeneratorError, match="holds no text-to-image model"):
        loaded("cpu")
    tiny_pipeline(channels=9).save_pretrained(tmp_path / "inpainting")
    monkeypatch.setenv("SCENECAST_TEXT_TO_IMAGE_FOLDER", str(tmp_path / "inpainting"))
    with pytest.raises(GeneratorError, match="takes 9 channels for 4"):
        loaded("cpu")
    tiny_pipeline().save_pretrained(tmp_path / "pickled", safe_serialization=False)
    monkeypatch.setenv("SCENECAST_TEXT_TO_IMAGE_FOLDER", str(tmp_path / "pickled"))
    with pytest.raises(GeneratorError, match="safetensors"):
        loaded("cpu")
