"""Every part of a Stable Diffusion pipeline with random weights, and a denoiser that knows what it wants."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def tiny_pipeline(prediction: str = "epsilon", channels: int = 4) -> Any:
    """A pipeline for pictures of 16 px that can be saved as diffusers keeps it."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    letters = sorted(ByteLevel.alphabet())
    pieces = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], model_max_length=77)
    config = CLIPTextConfig(
        vocab_size=514, bos_token_id=512, eos_token_id=513, pad_token_id=513, hidden_size=32, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=77,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32, attention_head_dim=4, norm_num_groups=4,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8), in_channels=3, out_channels=3, latent_channels=4, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, sample_size=16,
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1, prediction_type=prediction,
    )  # fmt: skip
    return StableDiffusionPipeline(
        vae=vae.eval(), text_encoder=CLIPTextModel(config).eval(), tokenizer=tokenizer, unet=unet.eval(),
        scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


class Longing:
    """A pipeline whose latents are the pictures, 16 px wide, and whose denoiser always sees `target` [3, 16, 16]."""

    def __init__(self, target: Any, prediction: str = "epsilon") -> None:
        import torch
        from diffusers import DDIMScheduler

        self.scheduler = DDIMScheduler(prediction_type=prediction)
        self.asked: list[str] = []
        self.times: list[int] = []
        wanted, kept, kind = 2 * target[None] - 1, self.scheduler.alphas_cumprod.to(target.device), prediction
        self._device = target.device

        class Part(torch.nn.Module):
            config = SimpleNamespace(sample_size=16, block_out_channels=(1,), scaling_factor=1.0, latent_channels=3)

        class Encoder(Part):
            def encode(self, picture: Any) -> Any:
                return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: picture))

        class Denoiser(Part):
            def forward(inner, noisy: Any, t: Any, encoder_hidden_states: Any) -> Any:
                self.times.append(int(t[0]))
                a = kept[t].reshape(-1, 1, 1, 1)
                noise = (noisy - a.sqrt() * wanted) / (1 - a).sqrt()
                said = {"epsilon": noise, "sample": wanted.expand_as(noisy)}
                said["v_prediction"] = a.sqrt() * noise - (1 - a).sqrt() * wanted
                return SimpleNamespace(sample=said[kind])

        self.vae, self.unet = Encoder(), Denoiser()

    def encode_prompt(self, prompt: str, *_: Any) -> tuple[Any, Any]:
        import torch

        self.asked.append(prompt)
        return torch.zeros(1, 1, 1, device=self._device), torch.zeros(1, 1, 1, device=self._device)
