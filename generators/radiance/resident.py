"""A cloud that lives on a graphics card while it is trained: drawing, loss, gradients and Adam, without leaving it.

The same steps as the trainer takes on the processor, written for tensors: the picture by gsplat, L1 and SSIM of
`losses`, the strategies' own terms, Adam of `adam`. The cloud comes home when it is refined, shown, saved or asked for.
Sums on a card have no fixed order, so the same seed gives a like cloud there, but not the same bits.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d

from engines.assets import FloatArray
from generators.radiance.adam import Adam, Rates
from generators.radiance.cameras import Camera
from generators.radiance.losses import STABLE_MEAN, STABLE_VARIANCE, WINDOW_PX, window
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.gsplat_calls import LOG_SCALE_MAX, TINY, Leaves, composite, project
from generators.radiance.strategy import FAINT, Default, Mcmc, Strategy

GATE_WIDTH = 0.01
"""The gate of the noise closes within about this much opacity above `FAINT`."""


def photometric(image: Tensor, target: Tensor, *, ssim_weight: float, mask: Tensor | None) -> Tensor:
    """The loss of `losses.photometric`, differentiable by torch; pictures float32 [3, H, W]."""
    if mask is not None:
        image = torch.where(mask, image, target)
    weights = torch.from_numpy(window()).to(image.device)
    maps = torch.cat([image, target, image * image, target * target, image * target])
    down = conv2d(maps[:, None], weights.reshape(1, 1, WINDOW_PX, 1))
    mean, other, square, other_square, product = conv2d(down, weights.reshape(1, 1, 1, WINDOW_PX))[:, 0].chunk(5)
    variance, other_variance = square - mean * mean, other_square - other * other
    steady_mean, steady_variance = float(STABLE_MEAN), float(STABLE_VARIANCE)
    top = (2 * mean * other + steady_mean) * (2 * (product - mean * other) + steady_variance)
    low = (mean * mean + other * other + steady_mean) * (variance + other_variance + steady_variance)
    return (1 - ssim_weight) * (image - target).abs().mean() + ssim_weight * (1 - (top / low).mean())


class Resident:
    """A cloud, its gradients and Adam's moments on one device."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self._leaves: Leaves | None = None
        self._first: list[Tensor] = []
        self._second: list[Tensor] = []
        self._pull: tuple[Tensor, Tensor] | None = None
        self.ahead = False
        """Whether steps were taken that the arrays at home know nothing of."""

    # -- there and back --------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """The arrays at home were changed: the next step begins with those."""
        self._leaves, self._pull, self.ahead = None, None, False

    def _sent(self, parameters: Parameters) -> list[Tensor]:
        return [torch.from_numpy(array).to(self.device, copy=True) for _, array in parameters.arrays()]

    def bring(self, parameters: Parameters, adam: Adam) -> None:
        """Write what the device holds into arrays of the same shapes, in place."""
        if self._leaves is None or not self.ahead:
            return
        for held, arrays in ((self._leaves.all(), parameters), (self._first, adam.first), (self._second, adam.second)):
            for tensor, (_, array) in zip(held, arrays.arrays(), strict=True):
                array[...] = tensor.detach().cpu().numpy()
        self.ahead = False

    def observed(self) -> tuple[FloatArray, FloatArray] | None:
        """How hard the picture has pulled at each splat [N] and how often it was seen [N] since this was last asked."""
        pull, self._pull = self._pull, None
        return None if pull is None else (pull[0].cpu().numpy(), pull[1].cpu().numpy())

    # -- one step --------------------------------------------------------------------------------------------------

    def gradients(
        self,
        parameters: Parameters,
        adam: Adam,
        rules: Rules,
        camera: Camera,
        target: FloatArray | NDArray[np.uint8],  # [3, H, W], float32 0..1 or bytes
        background: FloatArray,  # float32 [3]
        *,
        mask: NDArray[np.bool_] | None,  # [H, W]
        ssim_weight: float,
    ) -> tuple[Tensor, Tensor]:
        """The loss, and the pull [N] at each splat's place in the picture, -1 where it was not drawn.

        The gradients stay on the device, as the leaves' own.
        """
        if self._leaves is None:
            self._leaves = Leaves(*(tensor.requires_grad_(True) for tensor in self._sent(parameters)))
            self._first, self._second = self._sent(adam.first), self._sent(adam.second)
        leaves, width, height = self._leaves, camera.width, camera.height
        for leaf in leaves.all():
            leaf.grad = None
        found = project(leaves, camera, rules)
        found.xy.retain_grad()
        image, _ = composite(found, found.colour, torch.from_numpy(background).to(self.device), width, height)
        there = None if mask is None else torch.from_numpy(np.array(mask)).to(self.device)  # it may be mapped from disk
        wanted = torch.from_numpy(np.array(target)).to(self.device)  # bytes cross four times as fast
        wanted = wanted * (1 / 255) if wanted.dtype == torch.uint8 else wanted
        loss = photometric(image, wanted, ssim_weight=ssim_weight, mask=there)
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            half = torch.tensor([width / 2, height / 2], device=self.device)
            slope = torch.zeros_like(found.xy) if found.xy.grad is None else found.xy.grad
            pull = torch.where(found.radii[:, 0] > 0, (slope * half).norm(dim=1), -1.0)
        return loss.detach(), pull

    @torch.no_grad()
    def regularise(self, strategy: Strategy) -> None:
        """Add the strategy's own gradients, as its `regularise` does."""
        if not isinstance(strategy, Mcmc) or self._leaves is None:
            return
        leaves = self._leaves
        count = max(len(leaves.logits), 1)
        opacity = torch.sigmoid(leaves.logits)
        by_logits, by_scales = leaves.logits.grad, leaves.log_scales.grad
        assert by_logits is not None and by_scales is not None
        by_logits.add_(opacity * (1 - opacity), alpha=strategy.opacity_weight / count)
        by_scales.add_(leaves.log_scales.clamp(max=LOG_SCALE_MAX).exp(), alpha=strategy.scale_weight / (3 * count))

    @torch.no_grad()
    def optimise(self, adam: Adam, rates: Rates) -> None:
        """One step of Adam, as `Adam.step` takes it."""
        assert self._leaves is not None
        adam.steps += 1
        first, second = adam.decay
        warm, correction = 1 - first**adam.steps, 1 / (1 - second**adam.steps)
        names = ("positions", "log_scales", "quaternions", "logits", "sh")
        for name, leaf, m, v in zip(names, self._leaves.all(), self._first, self._second, strict=True):
            assert leaf.grad is not None
            m.mul_(first).add_(leaf.grad, alpha=1 - first)
            v.mul_(second).addcmul_(leaf.grad, leaf.grad, value=1 - second)
            step = m / ((v * correction).sqrt_() + adam.epsilon)
            if name == "sh":
                leaf[:, :1].sub_(step[:, :1], alpha=rates.sh / warm)
                leaf[:, 1:].sub_(step[:, 1:], alpha=rates.sh_rest / warm)
            else:
                leaf.sub_(step, alpha=getattr(rates, name) / warm)
        self.ahead = True

    @torch.no_grad()
    def disturb(self, strategy: Strategy, rate: float, step: int) -> None:
        """Shake faint splats, as the strategy's `disturb` does, by noise of this device's own."""
        if not isinstance(strategy, Mcmc) or self._leaves is None:
            return
        leaves = self._leaves
        source = torch.Generator(self.device if self.device.type == "cuda" else "cpu")
        source.manual_seed(
            (strategy.seed * 1_000_003 + step) % 2**63
        )  # of the step, so that a resumed run goes on alike
        noise = torch.randn(leaves.positions.shape, generator=source, device=source.device).to(self.device)
        gate = torch.sigmoid((FAINT - torch.sigmoid(leaves.logits)) / GATE_WIDTH)
        axes = turned(leaves.quaternions)
        spread = torch.exp(2 * leaves.log_scales.clamp(max=LOG_SCALE_MAX))
        away = axes @ (spread[:, :, None] * (axes.mT @ noise[:, :, None]))
        gate = torch.where(gate > 1e-4, gate, 0.0)
        leaves.positions.add_(gate[:, None] * away[:, :, 0], alpha=strategy.noise * rate)

    @torch.no_grad()
    def observe(self, strategy: Strategy, pull: Tensor) -> None:
        """Keep for the strategy how hard the picture pulls, as its `observe` does."""
        if not isinstance(strategy, Default):
            return
        if self._pull is None:
            self._pull = torch.zeros_like(pull), torch.zeros_like(pull)
        self._pull[0].add_(pull.clamp(min=0))
        self._pull[1].add_((pull >= 0).to(pull))


def turned(quaternions: Tensor) -> Tensor:
    """Rotation matrices [N, 3, 3] of quaternions [N, 4] wxyz of any length; identity for none."""
    lengths = quaternions.norm(dim=1, keepdim=True)
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0], device=quaternions.device)
    w, x, y, z = torch.where(lengths > TINY, quaternions / lengths.clamp(min=TINY), identity).unbind(1)
    rows = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack(rows, 1).reshape(-1, 3, 3)
