"""Shap-E by the ordinary loading code, with tiny random weights made on disk; and its grids by known networks."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.assets import Field, Mesh
from generators.catalog import missing_need
from generators.events import Cancelled, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.fields import shap_e
from generators.fields.shap_e import asked, field_of_words, loaded, mesh_of, mesh_of_words
from generators.fields.specs import FIELD_FROM_TEXT, MESH_FROM_TEXT, ShapEParams
from tests.generators.fields.test_from_photos import Bench

pytest.importorskip("diffusers")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries that load it
PARAMS = ShapEParams(prompt="a chair", steps=3, guidance=3.0, resolution=20)


def tiny_pipeline() -> Any:
    """Every part of Shap-E, a few thousand random weights in all."""
    import torch
    from diffusers import HeunDiscreteScheduler, PriorTransformer, ShapEPipeline
    from diffusers.pipelines.shap_e import ShapERenderer
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

    torch.manual_seed(0)
    letters = sorted(ByteLevel.alphabet())
    pieces = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], model_max_length=77)
    config = CLIPTextConfig(
        vocab_size=514, bos_token_id=512, eos_token_id=513, pad_token_id=513, hidden_size=32, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=4, projection_dim=32, max_position_embeddings=77,
    )  # fmt: skip
    width = 8
    prior = PriorTransformer(
        num_attention_heads=2, attention_head_dim=16, num_layers=1, embedding_dim=16, num_embeddings=4 * width,
        additional_embeddings=0, time_embed_dim=64, time_embed_act_fn="gelu", norm_in_type="layer",
        embedding_proj_dim=32, encoder_hid_proj_type=None, added_emb_type=None, clip_embed_dim=32,
    )  # fmt: skip
    renderer = ShapERenderer(
        param_shapes=((width, 93), (width, width), (width, width), (width, width)), d_latent=16, d_hidden=width,
        n_output=12, background=(1.0, 1.0, 1.0),
    )  # fmt: skip
    scheduler = HeunDiscreteScheduler(
        beta_schedule="exp", num_train_timesteps=1024, prediction_type="sample", use_karras_sigmas=True,
        clip_sample=True, clip_sample_range=1.0,
    )  # fmt: skip
    with torch.no_grad():  # so that something is dense, and some of it inside
        renderer.mlp.mlp[-1].bias[:3] += torch.tensor([0.05, 0.5, 0.5])
    return ShapEPipeline(
        prior=prior, text_encoder=CLIPTextModelWithProjection(config).eval(), tokenizer=tokenizer,
        scheduler=scheduler, shap_e_renderer=renderer,
    )  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shap-e")
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def named(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCENECAST_SHAP_E_FOLDER", str(weights))
    return weights


def test_words_become_a_field_and_the_same_words_the_same(tmp_path: Path, named: Path) -> None:
    results = []
    for _ in range(2):
        events = list(field_of_words(Request(PARAMS, 5), Bench(tmp_path)))
        last = events[-1]
        assert isinstance(last, Produced) and isinstance(last.asset, Field)
        results.append(last.asset)
        fractions = [event.fraction for event in events if isinstance(event, Progress)]
        assert fractions == sorted(fractions) and len(fractions) >= 3
        assert any(isinstance(event, Preview) for event in events)
        assert any(isinstance(event, Note) and "1 m" in event.text for event in events)
    assert (results[0].density > 0).any() and results[0].name == "a chair"
    np.testing.assert_array_equal(results[0].density, results[1].density)
    *_, other = field_of_words(Request(PARAMS, 6), Bench(tmp_path))
    assert isinstance(other, Produced) and isinstance(other.asset, Field)
    assert other.asset.density.shape != results[0].density.shape or (other.asset.density != results[0].density).any()


def test_weights_in_half_precision_are_used_in_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    tiny_pipeline().to(torch.float16).save_pretrained(tmp_path / "half")
    monkeypatch.setenv("SCENECAST_SHAP_E_FOLDER", str(tmp_path / "half"))
    pipeline = shap_e.loaded("cpu")
    parts = (pipeline.prior, pipeline.text_encoder, pipeline.shap_e_renderer)
    floats = {weights.dtype for part in parts for weights in part.parameters() if weights.is_floating_point()}
    assert floats == {torch.float32}


def test_words_become_a_mesh_or_are_refused_as_empty(tmp_path: Path, named: Path) -> None:
    try:
        *_, last = mesh_of_words(Request(PARAMS, 5), Bench(tmp_path))
    except GeneratorError as error:
        assert "made nothing of these words" in str(error)
    else:
        assert isinstance(last, Produced) and isinstance(last.asset, Mesh)
        assert last.asset.colours is not None and np.abs(last.asset.positions).max() <= 0.5 + 1 / 19


class Ball:
    """A network that knows a ball of radius 0.5 whose upper side, +Z to it, is red and whose +X side is green."""

    device, dtype = "cpu", None

    def __init__(self) -> None:
        import torch

        self.dtype = torch.float32

    def state_dict(self) -> dict[str, Any]:
        return {}

    def __call__(self, *, position: Any, **_: Any) -> Any:
        import torch
        from diffusers.pipelines.shap_e.renderer import MLPNeRFModelOutput

        away = position.norm(dim=-1, keepdim=True)
        red, green = torch.sigmoid(8 * position[..., 2:]), torch.sigmoid(8 * position[..., :1])
        return MLPNeRFModelOutput(
            density=40.0 * (away < 0.5), signed_distance=torch.tanh(0.5 - away),
            channels=torch.cat([red, green, 0 * red], -1), ts=None,
        )  # fmt: skip


class Known:
    class shap_e_renderer:
        @staticmethod
        def params_proj(_latents: Any) -> dict[str, Any]:
            return {}


def grids(what: str, device: str = "cpu") -> tuple[Any, Any]:
    import torch

    pipeline, ball = Known(), Ball()
    ball.device = device
    pipeline.shap_e_renderer.mlp = ball  # type: ignore[attr-defined]
    return asked(pipeline, torch.zeros(1, 4, device=device), 41, what, shap_e._Watch())


@pytest.mark.gpu
@pytest.mark.parametrize("what", ["density", "distance"])
def test_the_network_is_asked_where_it_is(what: str) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    for mine, theirs in zip(grids(what, "cuda:0"), grids(what), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_its_world_is_turned_upright_and_meshed_closed() -> None:
    distance, colour = grids("distance")
    assert distance[20, 20, 20] > 0 > distance[0, 0, 0]
    assert colour[20, 32, 20, 0] > 0.9 > 0.1 > colour[20, 8, 20, 0]  # red above: +Y
    assert colour[32, 20, 20, 1] > 0.9 > 0.1 > colour[8, 20, 20, 1]  # green on the +X side
    mesh = mesh_of(distance, colour, "ball")
    np.testing.assert_allclose(np.linalg.norm(mesh.positions, axis=1), 0.25, atol=0.004)
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    a, b, c = (mesh.positions[mesh.faces[:, i]] for i in range(3))
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a) > 0).all()  # outward
    assert mesh.colours is not None and mesh.colours[mesh.positions[:, 1].argmax(), 0] > 0.7
    with pytest.raises(GeneratorError, match="nothing of these words"):
        mesh_of(np.full((8, 8, 8), -1, np.float32), np.zeros((8, 8, 8, 3), np.float32), "")


def test_density_becomes_a_field_of_the_right_size() -> None:
    density, _ = grids("density")
    assert density[20, 20, 20] == 40 and density[0, 0, 0] == 0
    assert (density > 0).mean() == pytest.approx(np.pi / 6 / 8, rel=0.1)


def test_cancelling_ends_the_denoising_too(tmp_path: Path, named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[int] = []
    steps = shap_e._Watch.steps

    def slow(self: Any, *args: Any, **named: Any) -> Any:
        for index, item in enumerate(steps(self, *args, **named)):
            reached.append(index)
            time.sleep(0.1)
            yield item

    monkeypatch.setattr(shap_e._Watch, "steps", slow)
    long = ShapEParams(prompt="a chair", steps=200, resolution=16)

    class Stopped(Bench):
        def check(self) -> None:
            if len(reached) >= 3:
                raise Cancelled

    with pytest.raises(Cancelled):
        list(field_of_words(Request(long, 1), Stopped(tmp_path)))
    for thread in threading.enumerate():
        if thread.name.startswith("beside"):
            thread.join()
    assert len(reached) < 200


def test_missing_and_foreign_folders_are_told(tmp_path: Path, named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_need(FIELD_FROM_TEXT, []) == "" == missing_need(MESH_FROM_TEXT, [])
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SCENECAST_SHAP_E_FOLDER", str(tmp_path / "empty"))
    with pytest.raises(GeneratorError, match="holds no weights of Shap-E"):
        loaded("cpu")
    monkeypatch.delenv("SCENECAST_SHAP_E_FOLDER")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    reason = missing_need(FIELD_FROM_TEXT, [])
    assert "2.6 GB, licence MIT" in reason and "shap_e_folder" in reason
    with pytest.raises(GeneratorError, match="shap_e_folder"):
        loaded("cpu")
    with pytest.raises(GeneratorError, match="prompt is empty"):
        list(field_of_words(Request(ShapEParams(), 0), Bench(tmp_path)))
