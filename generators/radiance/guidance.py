"""What a text-to-image model thinks of a picture, as a gradient: score distillation (Poole et al. 2022, DreamFusion).

The model is any of the Stable Diffusion 1 and 2 family, loaded by diffusers from safetensors on this disk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.events import GeneratorError
from generators.located import found, missing
from generators.radiance.text_specs import TEXT_TO_IMAGE

VIEWS = ("front", "side", "back", "overhead")
PREDICTIONS = ("epsilon", "v_prediction", "sample")
OVERHEAD_DEG = 60.0
"""A camera that stands higher looks from overhead (DreamFusion, appendix A.2)."""
T_MIN, T_MAX, T_LAST = 0.02, 0.98, 0.5
"""Noise is drawn between the first and the second share of the schedule; at the end of the run, the third.

Less noise later asks for detail rather than for shape (Wang et al. 2023, ProlificDreamer, section 3.3).
"""


class Guide(Protocol):
    """Tells how a picture should change."""

    def gradient(self, picture: FloatArray, view: str, fraction: float) -> FloatArray:
        """The gradient of what is to be made small by `picture` float32 [3, H, W], display-referred 0 … 1.

        `view` is one of `VIEWS`; `fraction` 0..1 says how much of the run is behind.
        """

    def state(self) -> NDArray[np.uint8]:
        """All that the next gradients depend on besides the pictures, for a run that is taken up again."""

    def restore(self, state: NDArray[np.uint8]) -> None:
        """Go on from what `state` gave. Raises `ValueError` for anything else."""


def view_of(azimuth_deg: float, elevation_deg: float) -> str:
    """Which of `VIEWS` a camera has; azimuth 0 looks at the front, which is turned to +Z."""
    if elevation_deg > OVERHEAD_DEG:
        return "overhead"
    away = abs((azimuth_deg + 180.0) % 360.0 - 180.0)
    return "front" if away < 45.0 else "side" if away < 135.0 else "back"


def loaded(device: str) -> tuple[Any, Path]:
    """The pipeline of the weights on this disk, and their folder; nothing is ever fetched. Raises `GeneratorError`."""
    folder = found(TEXT_TO_IMAGE)
    if folder is None:
        raise GeneratorError(missing(TEXT_TO_IMAGE))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from diffusers import StableDiffusionPipeline

    try:
        pipeline = StableDiffusionPipeline.from_pretrained(
            # said, because otherwise the reader of words comes in the precision in which it was saved
            str(folder), dtype=torch.float32, local_files_only=True, use_safetensors=True, safety_checker=None,
            feature_extractor=None, image_encoder=None, requires_safety_checker=False,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        words = str(error).strip().split("\n")[0][:300]
        raise GeneratorError(
            f"the folder {folder} holds no text-to-image model that can be used: {words}; expected one of the Stable "
            "Diffusion 1 or 2 family as diffusers keeps it (model_index.json and a folder of safetensors for each part)"
        ) from error
    _refuse_others(pipeline, folder)
    return pipeline.to(device), folder


def _refuse_others(pipeline: Any, folder: Path) -> None:
    """Raise `GeneratorError` for kin that want more than a noisy picture, a time and words."""
    unet, latents = pipeline.unet.config, pipeline.vae.config.latent_channels
    if unet.in_channels != latents or getattr(unet, "addition_embed_type", None) is not None:
        raise GeneratorError(
            f"the model in {folder} asks for more than words (its denoiser takes {unet.in_channels} channels for "
            f"{latents} of a picture); expected a plain text-to-image model of the Stable Diffusion 1 or 2 family"
        )
    kind = pipeline.scheduler.config.prediction_type
    if kind not in PREDICTIONS:
        raise GeneratorError(f"the model in {folder} predicts {kind!r}; expected one of {', '.join(PREDICTIONS)}")


class Distillation:
    """Score distillation by one pipeline and one prompt, in the space of its latents.

    The gradient by a latent z at time t is w(t)·(ε̂ - ε) with w = 1 - ᾱ(t) and ε̂ guided by the words; it goes back
    to the picture through the encoder, and past the denoiser. It is divided by the number of values of z.
    """

    def __init__(self, pipeline: Any, prompt: str, negative: str, *, guidance: float, seed: int, device: str) -> None:
        import torch

        self._vae, self._unet = pipeline.vae, pipeline.unet
        self._device = device
        self._guidance = guidance
        self._random = torch.Generator("cpu").manual_seed(seed)
        self._kind = pipeline.scheduler.config.prediction_type
        self._kept = pipeline.scheduler.alphas_cumprod.to(device, torch.float32)
        for part in (self._vae, self._unet):
            part.requires_grad_(False)
        self._words: dict[str, Any] = {}
        with torch.no_grad():
            for view in VIEWS:
                asked, refused = pipeline.encode_prompt(f"{prompt}, {view} view", device, 1, True, negative)
                self._words[view] = torch.cat([refused, asked])

    @property
    def side_px(self) -> int:
        """Side of the pictures that the model was trained with."""
        size = self._unet.config.sample_size
        return int(size) * int(2 ** (len(self._vae.config.block_out_channels) - 1))

    def state(self) -> NDArray[np.uint8]:
        """See `Guide.state`: where the sequence of noise stands."""
        return np.array(self._random.get_state().numpy(), np.uint8)

    def restore(self, state: NDArray[np.uint8]) -> None:
        """See `Guide.restore`."""
        import torch

        try:
            self._random.set_state(torch.from_numpy(state.copy()))
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"{len(state)} bytes are no state of a sequence of noise") from error

    def gradient(self, picture: FloatArray, view: str, fraction: float) -> FloatArray:
        """See `Guide.gradient`; every call draws a new time and new noise."""
        import torch
        from torch.nn.functional import interpolate

        # a copy: what is asked for must not change when the rasterizer's picture does
        leaf = torch.tensor(picture, device=self._device, requires_grad=True)
        side = self.side_px
        sized = interpolate(leaf[None], (side, side), mode="bilinear", align_corners=False, antialias=True)
        latents = self._vae.encode(2 * sized - 1).latent_dist.mode() * self._vae.config.scaling_factor
        with torch.no_grad():
            pull = self._pull(latents, view, fraction)
        (latents * pull).sum().backward()
        if leaf.grad is None:
            raise AssertionError("the picture is a leaf of the graph")
        return np.ascontiguousarray(leaf.grad.cpu().numpy())

    def _pull(self, latents: Any, view: str, fraction: float) -> Any:
        """w(t)·(ε̂ - ε) for latents [1, C, h, w], divided by their number."""
        import torch

        count = len(self._kept)
        last = T_MAX + (T_LAST - T_MAX) * min(max(fraction, 0.0), 1.0)
        low, high = int(T_MIN * count), max(int(last * count), int(T_MIN * count) + 1)
        t = torch.randint(low, high, (1,), generator=self._random).to(self._device)
        noise = torch.randn(latents.shape, generator=self._random).to(self._device)
        kept = self._kept[t].reshape(1, 1, 1, 1)
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
        said = self._unet(torch.cat([noisy, noisy]), t.expand(2), encoder_hidden_states=self._words[view]).sample
        without, with_words = said.chunk(2)
        guided = without + self._guidance * (with_words - without)
        if self._kind == "v_prediction":
            guided = kept.sqrt() * guided + (1 - kept).sqrt() * noisy
        elif self._kind == "sample":
            guided = (noisy - kept.sqrt() * guided) / (1 - kept).sqrt()
        return torch.nan_to_num((1 - kept) * (guided - noise)) / latents.numel()
