"""The slow, obviously right rasterizer: float64 torch with automatic gradients, every splat over every pixel.

It is the oracle of the fast backends and keeps to the same rules of what is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.assets import FloatArray
from engines.spherical_harmonics import basis
from generators.radiance.cameras import Camera
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import MARGIN

ALPHA_MAX, ALPHA_MIN, OPAQUE = 0.999, 1.0 / 255.0, 1e-4


@dataclass(frozen=True, eq=False)
class Cloud:
    """Parameters as float64 tensors that collect gradients."""

    positions: Tensor
    log_scales: Tensor
    quaternions: Tensor
    logits: Tensor
    sh: Tensor

    def gradients(self) -> Parameters:
        """What `backward` left in the tensors; zeros where nothing arrived."""
        values = (self.positions, self.log_scales, self.quaternions, self.logits, self.sh)
        return Parameters(
            *((torch.zeros_like(v) if v.grad is None else v.grad).numpy().astype(np.float32) for v in values)
        )


def cloud(parameters: Parameters) -> Cloud:
    """A float64 copy of parameters, ready for `backward`."""
    return Cloud(*(torch.tensor(array, dtype=torch.float64, requires_grad=True) for _, array in parameters.arrays()))


@dataclass(frozen=True, eq=False)
class Ellipses:
    """As `rasterizer.Projection`, in float64 tensors; `drawn` says what may appear at all."""

    xy: Tensor
    conic: Tensor
    opacity: Tensor
    colour: Tensor
    depth: Tensor
    drawn: Tensor


def _rotations(quaternions: Tensor) -> Tensor:
    w, x, y, z = (quaternions / quaternions.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


class _Harmonics(torch.autograd.Function):
    """The basis of `engines.spherical_harmonics`, with central differences as its slope."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, directions: Tensor, degree: int) -> Tensor:
        context.save_for_backward(directions)
        context.degree = degree  # type: ignore[attr-defined]
        return torch.from_numpy(basis(directions.detach().numpy(), degree))

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        (directions,) = context.saved_tensors  # type: ignore[attr-defined]
        at, step = directions.detach().numpy(), 1e-6
        columns = []
        for axis in np.eye(3):
            ahead = basis(at + step * axis, context.degree)  # type: ignore[attr-defined]
            behind = basis(at - step * axis, context.degree)  # type: ignore[attr-defined]
            columns.append((grad * torch.from_numpy((ahead - behind) / (2 * step))).sum(-1))
        return torch.stack(columns, -1), None


def project(source: Cloud, camera: Camera, rules: Rules) -> Ellipses:
    """Where splats fall in the picture, differentiable in all of them."""
    view = torch.from_numpy(camera.camera_from_world)
    p = source.positions @ view[:3, :3].T + view[:3, 3]
    behind = p[:, 2] <= rules.near
    z = torch.where(behind, torch.ones_like(p[:, 2]), p[:, 2])
    xy = torch.stack([camera.fx * p[:, 0] / z + camera.cx, camera.fy * p[:, 1] / z + camera.cy], -1)
    half_x, half_y = MARGIN * camera.width / camera.fx / 2, MARGIN * camera.height / camera.fy / 2
    tx = (p[:, 0] / z).clamp(-camera.cx / camera.fx - half_x, (camera.width - camera.cx) / camera.fx + half_x)
    ty = (p[:, 1] / z).clamp(-camera.cy / camera.fy - half_y, (camera.height - camera.cy) / camera.fy + half_y)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [
            torch.stack([camera.fx / z, zero, -camera.fx * tx / z], -1),
            torch.stack([zero, camera.fy / z, -camera.fy * ty / z], -1),
        ],
        -2,
    )
    axes = _rotations(source.quaternions) * torch.exp(source.log_scales)[:, None, :]
    flat = jacobian @ view[:3, :3] @ axes
    sharp = flat @ flat.mT
    covariance = sharp + rules.blur_px2 * torch.eye(2, dtype=torch.float64)
    determinant = torch.linalg.det(covariance)
    inverse = torch.linalg.inv(covariance)
    opacity = torch.sigmoid(source.logits)
    if rules.antialiased:
        opacity = opacity * torch.sqrt((torch.linalg.det(sharp) / determinant).clamp_min(0.0))
    directions = torch.nn.functional.normalize(source.positions - torch.from_numpy(camera.position), dim=-1)
    count = min(rules.sh_count, source.sh.shape[1])
    values: Tensor = _Harmonics.apply(directions, round(count**0.5) - 1)  # type: ignore[no-untyped-call]
    colour = (0.5 + torch.einsum("nk,nkc->nc", values, source.sh[:, :count])).clamp_min(0.0)
    conic = torch.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], -1)
    return Ellipses(xy, conic, opacity, colour, p[:, 2], ~behind & (opacity > ALPHA_MIN))


def rasterize(
    ellipses: Ellipses, features: Tensor, background: FloatArray, width: int, height: int
) -> tuple[Tensor, Tensor]:
    """The picture [C, H, W] and the transmittance [H, W], splat by splat over all pixels."""
    v, u = torch.meshgrid(
        torch.arange(height, dtype=torch.float64) + 0.5, torch.arange(width, dtype=torch.float64) + 0.5, indexing="ij"
    )
    through = torch.ones(height, width, dtype=torch.float64)
    image = torch.zeros(features.shape[1], height, width, dtype=torch.float64)
    for i in torch.argsort(ellipses.depth.detach(), stable=True).tolist():
        if not ellipses.drawn[i]:
            continue
        dx, dy = u - ellipses.xy[i, 0], v - ellipses.xy[i, 1]
        a, b, c = ellipses.conic[i].unbind()
        alpha = (ellipses.opacity[i] * torch.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy)).clamp(max=ALPHA_MAX)
        counts = (alpha >= ALPHA_MIN) & (through >= OPAQUE)
        weight = torch.where(counts, alpha * through, torch.zeros_like(alpha))
        image = image + weight * features[i][:, None, None]
        through = through - weight
    return image + through * torch.from_numpy(background.astype(np.float64))[:, None, None], through
