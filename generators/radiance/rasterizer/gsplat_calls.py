"""gsplat's functions as we call them: tensors in, tensors out, for its releases 1.5.3 and 1.6.

Checked against the sources of both. What differs is told apart here and nowhere else: 1.6 takes the view's matrix
where 1.5 takes viewing directions, and draws only so many channels as it was compiled for. A splat that is out of the
picture leaves its row of gsplat's results unwritten, so every such row is made zero before anybody reads it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generators.radiance.cameras import Camera
from generators.radiance.rasterizer import Rules

TILE = 16
LOG_SCALE_MAX = 20.0
"""As in the numba kernels: e^20 is beyond any scene, and its square is still a float32."""
TINY = 1e-30
CHANNELS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65, 128, 129, 256, 257, 512, 513)
"""Numbers of channels that both releases draw; others are filled up with zeros."""


@dataclass(frozen=True, eq=False)
class Leaves:
    """A cloud on a device, float32 and contiguous, as `parameters.Parameters`."""

    positions: Tensor
    log_scales: Tensor
    quaternions: Tensor
    logits: Tensor
    sh: Tensor

    def all(self) -> tuple[Tensor, ...]:
        """The five groups in the order of `Parameters`."""
        return self.positions, self.log_scales, self.quaternions, self.logits, self.sh


@dataclass(frozen=True, eq=False)
class Ellipses:
    """As `rasterizer.Projection`, on a device; `radii` int32 [N, 2] in pixels, 0 for what is not drawn."""

    xy: Tensor
    conic: Tensor
    opacity: Tensor
    colour: Tensor
    depth: Tensor
    radii: Tensor


@cache
def takes_view_matrix() -> bool:
    """Whether the installed gsplat finds the viewing directions itself, as 1.6 does."""
    import gsplat

    return "viewmats" in inspect.signature(gsplat.spherical_harmonics).parameters


def project(leaves: Leaves, camera: Camera, rules: Rules) -> Ellipses:
    """Where a cloud's splats fall in a picture; differentiable in all five groups."""
    import gsplat

    device = leaves.positions.device
    view = _tensor(camera.camera_from_world, device)
    intrinsics = [[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]]
    lengths = leaves.quaternions.norm(dim=1, keepdim=True)
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0], device=device)
    opacity = torch.sigmoid(leaves.logits)
    radii, xy, depth, conic, compensation = gsplat.fully_fused_projection(
        leaves.positions,
        None,
        torch.where(lengths > TINY, leaves.quaternions, identity),
        torch.exp(leaves.log_scales.clamp(max=LOG_SCALE_MAX)),
        view[None],
        _tensor(intrinsics, device)[None],
        camera.width,
        camera.height,
        eps2d=rules.blur_px2,
        near_plane=rules.near,
        packed=False,
        calc_compensations=rules.antialiased,
        opacities=opacity.detach(),  # for the size of the boxes alone; compensation is taken into account there
    )
    drawn = (radii[0] > 0).all(1)
    if rules.antialiased:
        opacity = opacity * torch.where(drawn, compensation[0], 0.0)
    return Ellipses(
        xy=torch.where(drawn[:, None], xy[0], 0.0),
        conic=torch.where(drawn[:, None], conic[0], 0.0),
        opacity=torch.where(drawn, opacity, 0.0),
        colour=torch.where(drawn[:, None], _colour(leaves, camera, view, rules), 0.0),
        depth=torch.where(drawn, depth[0], 0.0),
        radii=torch.where(drawn[:, None], radii[0], 0),
    )


def _colour(leaves: Leaves, camera: Camera, view: Tensor, rules: Rules) -> Tensor:
    """Colours [N, 3] from harmonics, ≥ 0."""
    import gsplat

    degree = round(min(rules.sh_count, leaves.sh.shape[1]) ** 0.5) - 1
    if takes_view_matrix():
        values: Tensor = gsplat.spherical_harmonics(degree, leaves.positions, view[None], leaves.sh)[0]
    else:
        away = leaves.positions - _tensor(camera.position, leaves.positions.device)
        values = gsplat.spherical_harmonics(degree, away, leaves.sh)
    return (values + 0.5).clamp(min=0.0)


def composite(
    ellipses: Ellipses, features: Tensor, background: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor]:
    """The picture [C, H, W] of `features` [N, C] over `background` [C], and the transmittance [H, W]."""
    import gsplat

    channels = features.shape[1]
    spare = next((n - channels for n in CHANNELS if n >= channels), None)
    if not channels or spare is None:
        raise ValueError(f"{channels} features a splat: gsplat draws 1 to {CHANNELS[-1]}")
    features = torch.nn.functional.pad(features, (0, spare))
    background = torch.nn.functional.pad(background, (0, spare))
    across, down = -(-width // TILE), -(-height // TILE)
    _, keys, members = gsplat.isect_tiles(
        *(ellipses.xy[None].detach(), ellipses.radii[None], ellipses.depth[None].detach()),
        *(TILE, across, down),
        packed=False,
    )
    image, alpha = gsplat.rasterize_to_pixels(
        *(ellipses.xy[None], ellipses.conic[None], features[None], ellipses.opacity[None]),
        *(width, height, TILE, gsplat.isect_offset_encode(keys, 1, across, down), members),
        backgrounds=background[None],
        packed=False,
    )
    return image[0, :, :, :channels].permute(2, 0, 1), 1.0 - alpha[0, :, :, 0]


def _tensor(values: Any, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32)).to(device)
