"""gsplat's five functions that we call, in plain torch on any device: same signatures, shapes, dtypes and rules.

Written from what gsplat documents and its kernels do, in both dialects that are out. It is as strict as gsplat is and
in one thing stricter: rows that gsplat leaves unwritten are filled with NaN, so that whoever reads one is found out.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engines.spherical_harmonics import basis
from generators.radiance.rasterizer import gsplat_backend, gsplat_calls

EXTEND, ALPHA_MIN, ALPHA_MAX, OPAQUE = 3.33, 1.0 / 255.0, 0.999, 1e-4
CHANNELS_OF_1_6 = {1, 2, 3, 4, 5, 6, 8, 9, 16, 17, 21, 23, 24, 32, 33, 64, 65, 128, 129, 256, 257, 512, 513}


def installed(monkeypatch: pytest.MonkeyPatch, release: str = "1.5") -> ModuleType:
    """Puts the stand-in of a release, "1.5" or "1.6", in gsplat's place for one test."""
    module = ModuleType("gsplat")
    module.__dict__.update(
        fully_fused_projection=fully_fused_projection,
        spherical_harmonics=spherical_harmonics if release == "1.5" else spherical_harmonics_of_1_6,
        isect_tiles=isect_tiles,
        isect_offset_encode=isect_offset_encode,
        rasterize_to_pixels=rasterize_to_pixels if release == "1.5" else rasterize_to_pixels_of_1_6,
    )
    monkeypatch.setitem(sys.modules, "gsplat", module)
    gsplat_calls.takes_view_matrix.cache_clear()
    gsplat_backend.missing.cache_clear()
    return module


@pytest.fixture
def forget() -> Any:
    """What was found out of a stand-in does not outlive its test."""
    yield
    gsplat_calls.takes_view_matrix.cache_clear()
    gsplat_backend.missing.cache_clear()


def _sound(tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> None:
    assert tensor.shape == shape and tensor.dtype == dtype, (tensor.shape, tensor.dtype)


def _axes(quats: Tensor) -> Tensor:
    w, x, y, z = (quats / quats.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), 2 * (x * y + w * z)]
    rows += [1 - 2 * (x * x + z * z), 2 * (y * z - w * x), 2 * (x * z - w * y), 2 * (y * z + w * x)]
    rows += [1 - 2 * (x * x + y * y)]
    return torch.stack(rows, -1).reshape(-1, 3, 3)


def fully_fused_projection(
    means: Tensor, covars: Tensor | None, quats: Tensor | None, scales: Tensor | None, viewmats: Tensor, Ks: Tensor,
    width: int, height: int, eps2d: float = 0.3, near_plane: float = 0.01, far_plane: float = 1e10,
    radius_clip: float = 0.0, packed: bool = False, sparse_grad: bool = False, calc_compensations: bool = False,
    camera_model: str = "pinhole", opacities: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:  # fmt: skip
    count = means.shape[0]
    assert covars is None and quats is not None and scales is not None and not packed and camera_model == "pinhole"
    for tensor, shape in ((means, (count, 3)), (quats, (count, 4)), (scales, (count, 3)), (viewmats, (1, 4, 4))):
        _sound(tensor, shape)
    _sound(Ks, (1, 3, 3))
    view, fx, fy, cx, cy = viewmats[0], Ks[0, 0, 0], Ks[0, 1, 1], Ks[0, 0, 2], Ks[0, 1, 2]
    p = means @ view[:3, :3].T + view[:3, 3]
    inside = (p[:, 2] >= near_plane) & (p[:, 2] <= far_plane)
    z = torch.where(inside, p[:, 2], 1.0)
    low_x, high_x = cx / fx + 0.15 * width / fx, (width - cx) / fx + 0.15 * width / fx
    low_y, high_y = cy / fy + 0.15 * height / fy, (height - cy) / fy + 0.15 * height / fy
    tx = torch.minimum(high_x, torch.maximum(-low_x, p[:, 0] / z))
    ty = torch.minimum(high_y, torch.maximum(-low_y, p[:, 1] / z))
    zero = torch.zeros_like(z)
    jacobian = torch.stack([fx / z, zero, -fx * tx / z, zero, fy / z, -fy * ty / z], -1).reshape(-1, 2, 3)
    flat = jacobian @ view[:3, :3] @ (_axes(quats) * scales[:, None, :])
    a0, b0, c0 = (flat[:, 0] ** 2).sum(1), (flat[:, 0] * flat[:, 1]).sum(1), (flat[:, 1] ** 2).sum(1)
    # by the cross product, which float32 does not cancel away
    sharp = (torch.linalg.cross(flat[:, 0], flat[:, 1]) ** 2).sum(1)
    a, c = a0 + eps2d, c0 + eps2d
    det = sharp + eps2d * (a0 + c0) + eps2d * eps2d
    compensation = torch.sqrt((sharp / det).clamp(min=1e-20))
    extend = torch.full_like(det, EXTEND)
    if opacities is not None:
        _sound(opacities, (count,))
        faint = opacities * compensation if calc_compensations else opacities
        inside = inside & (faint >= ALPHA_MIN)
        extend = torch.minimum(extend, torch.sqrt(2 * torch.log((faint / ALPHA_MIN).clamp(min=1.0))))
    xy = torch.stack([fx * p[:, 0] / z + cx, fy * p[:, 1] / z + cy], -1)
    radii = torch.ceil(torch.stack([extend * a.sqrt(), extend * c.sqrt()], -1)).detach()
    frame = torch.tensor([width, height], dtype=torch.float32, device=means.device)
    inside = inside & (det > 0) & ((xy + radii > 0) & (xy - radii < frame)).all(1) & (radii > radius_clip).any(1)
    broken = ~inside
    unwritten = torch.tensor(torch.nan, device=means.device)
    return (
        torch.where(inside[:, None], radii, 0).int()[None],
        xy.masked_fill(broken[:, None], torch.nan)[None],
        p[:, 2].masked_fill(broken, torch.nan)[None],
        torch.where(broken[:, None], unwritten, torch.stack([c / det, -b0 / det, a / det], -1))[None],
        compensation.masked_fill(broken, 0.0)[None] if calc_compensations else None,
    )


class _Harmonics(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, directions: Tensor, degree: int) -> Tensor:
        context.save_for_backward(directions)
        context.degree = degree
        return torch.from_numpy(basis(directions.detach().double().cpu().numpy(), degree)).float().to(directions.device)

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, None]:
        (directions,) = context.saved_tensors
        at, step, columns = directions.detach().double().cpu().numpy(), 1e-6, []
        for axis in np.eye(3):
            slope = (basis(at + step * axis, context.degree) - basis(at - step * axis, context.degree)) / (2 * step)
            columns.append((grad.double() * torch.from_numpy(slope).to(grad.device)).sum(-1))
        return torch.stack(columns, -1).float(), None


def spherical_harmonics(degrees_to_use: int, dirs: Tensor, coeffs: Tensor, masks: Tensor | None = None) -> Tensor:
    assert (degrees_to_use + 1) ** 2 <= coeffs.shape[-2] and masks is None
    _sound(dirs, (len(coeffs), 3))
    unit = torch.nn.functional.normalize(dirs, dim=-1)
    values: Tensor = _Harmonics.apply(unit, degrees_to_use)  # type: ignore[no-untyped-call]
    return torch.einsum("nk,nkc->nc", values, coeffs[:, : values.shape[1]])


def spherical_harmonics_of_1_6(
    degrees_to_use: int, means: Tensor, viewmats: Tensor, coeffs: Tensor, masks: Tensor | None = None,
    batch_ids: Tensor | None = None, camera_ids: Tensor | None = None, gaussian_ids: Tensor | None = None,
    viewmats_rs: Tensor | None = None,
) -> Tensor:  # fmt: skip
    _sound(viewmats, (1, 4, 4))
    eye = -viewmats[0, :3, :3].T @ viewmats[0, :3, 3]
    return spherical_harmonics(degrees_to_use, means - eye, coeffs, masks)[None]


@torch.no_grad()
def isect_tiles(
    means2d: Tensor, radii: Tensor, depths: Tensor, tile_size: int, tile_width: int, tile_height: int,
    sort: bool = True, segmented: bool = False, packed: bool = False, n_images: int | None = None,
    image_ids: Tensor | None = None, gaussian_ids: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    count = means2d.shape[1]
    assert sort and not packed
    for tensor, shape in ((means2d, (1, count, 2)), (depths, (1, count))):
        _sound(tensor, shape)
    _sound(radii, (1, count, 2), torch.int32)
    numbers, found, device = torch.zeros(1, count, dtype=torch.int32), [], means2d.device
    means2d, radii, depths = means2d.cpu(), radii.cpu(), depths.cpu()
    bits = depths[0].contiguous().view(torch.int32)
    for i in (radii[0] > 0).all(1).nonzero()[:, 0].tolist():
        low, high = (means2d[0, i] - radii[0, i]) / tile_size, (means2d[0, i] + radii[0, i]) / tile_size
        across = range(max(0, int(low[0].floor())), min(tile_width, int(high[0].ceil())))
        down = range(max(0, int(low[1].floor())), min(tile_height, int(high[1].ceil())))
        numbers[0, i] = len(across) * len(down)
        found += [((y * tile_width + x) << 32 | int(bits[i]), i) for y in down for x in across]
    found.sort()
    keys, members = torch.tensor([k for k, _ in found], dtype=torch.int64), [i for _, i in found]
    return numbers.to(device), keys.to(device), torch.tensor(members, dtype=torch.int32).to(device)


@torch.no_grad()
def isect_offset_encode(isect_ids: Tensor, n_images: int, tile_width: int, tile_height: int) -> Tensor:
    _sound(isect_ids, (len(isect_ids),), torch.int64)
    tiles = torch.arange(tile_width * tile_height, device=isect_ids.device)
    return torch.searchsorted(isect_ids >> 32, tiles).int().reshape(n_images, tile_height, tile_width)


def rasterize_to_pixels(
    means2d: Tensor, conics: Tensor, colors: Tensor, opacities: Tensor, image_width: int, image_height: int,
    tile_size: int, isect_offsets: Tensor, flatten_ids: Tensor, backgrounds: Tensor | None = None,
    masks: Tensor | None = None, packed: bool = False, absgrad: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    count, channels = colors.shape[1:]
    wanted = (
        (means2d, (1, count, 2)),
        (conics, (1, count, 3)),
        (opacities, (1, count)),
        (colors, (1, count, channels)),
    )
    for tensor, shape in wanted:
        _sound(tensor, shape)
    assert backgrounds is not None and not packed and masks is None and channels <= 513
    _sound(backgrounds, (1, channels))
    _sound(flatten_ids, (len(flatten_ids),), torch.int32)
    _, down, across = isect_offsets.shape
    assert down * tile_size >= image_height and across * tile_size >= image_width
    edges = [*isect_offsets.flatten().cpu().tolist(), len(flatten_ids)]
    rows = []
    for y in range(down):
        tiles = []
        for x in range(across):
            own = flatten_ids[edges[y * across + x] : edges[y * across + x + 1]].long()
            place = torch.arange(tile_size, device=own.device) + 0.5
            u, v = place + x * tile_size, place + y * tile_size
            tiles.append(
                _tile(u, v, means2d[0, own], conics[0, own], opacities[0, own], colors[0, own], backgrounds[0])
            )
        rows.append(torch.cat(tiles, 1))
    drawn = torch.cat(rows)[None, :image_height, :image_width]
    return drawn[..., :-1], drawn[..., -1:]


def _tile(u: Tensor, v: Tensor, xy: Tensor, conic: Tensor, opacity: Tensor, colour: Tensor, ground: Tensor) -> Tensor:
    """Colour and alpha [T, T, C + 1] of one tile, splats in order of depth."""
    dx, dy = u[None, None, :] - xy[:, 0, None, None], v[None, :, None] - xy[:, 1, None, None]
    a, b, c = (conic[:, i, None, None] for i in range(3))
    sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    alpha = (opacity[:, None, None] * torch.exp(-sigma)).clamp(max=ALPHA_MAX)
    alpha = torch.where((sigma >= 0) & (alpha >= ALPHA_MIN), alpha, torch.zeros_like(alpha))
    after = torch.cumprod(1 - alpha, 0)
    counts = after > OPAQUE  # the splat that would make it opaque is not drawn, nor any behind it
    alpha = alpha * counts
    after = torch.cumprod(1 - alpha, 0)
    before = torch.cat([torch.ones_like(after[:1]), after[:-1]]) if len(after) else after
    weight = alpha * before
    through = (1 - alpha).prod(0)
    image = torch.einsum("nyx,nc->yxc", weight, colour) + through[:, :, None] * ground
    return torch.cat([image, 1 - through[:, :, None]], 2)


def rasterize_to_pixels_of_1_6(*given: Any, **named: Any) -> tuple[Tensor, Tensor]:
    assert given[2].shape[-1] in CHANNELS_OF_1_6, "this number of channels was not compiled"
    return rasterize_to_pixels(*given, **named)
