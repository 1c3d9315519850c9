"""Normals are held together: exact gradients, normals that are true on planes, smoother surfaces, nothing when off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from generators.radiance import checkpoint, surfaces
from generators.radiance.cameras import Camera
from generators.radiance.depth_loss import OPAQUE_FROM
from generators.radiance.normal_loss import (
    FLATNESS,
    _on_one_surface,
    normal_loss,
    normals_of_depth,
    splat_normals,
    turn_and_press,
)
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Rules, twin
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.surfaces import Surfaces
from generators.radiance.trainer import Trainer, TrainerSettings
from tests.generators.radiance import known_scene
from tests.generators.radiance.scenes import front_camera, random_cloud, relative_error
from tests.generators.radiance.surface_errors import angles_deg

BACKEND = NumbaBackend()
SEEN = known_scene.views(11, width=96, height=72)
PHOTOGRAPHS = known_scene.photographs(SEEN)
HELD_OUT = (2, 7)
SHORT = TrainerSettings(iterations=8, splats_max=600, sh_degree=1, refine_every=3, seed=3)


def twin_normals(source: twin.Cloud, camera: Camera) -> torch.Tensor:
    """Each splat's shortest axis in the camera's axes, facing it."""
    axis = source.log_scales.detach().argmin(1)
    view = torch.from_numpy(camera.camera_from_world)
    columns = twin._rotations(source.quaternions)[torch.arange(len(axis)), :, axis]
    normals = columns @ view[:3, :3].T
    places = source.positions.detach() @ view[:3, :3].T + view[:3, 3]
    return torch.where((normals.detach() * places).sum(1, keepdim=True) > 0, -normals, normals)


def twin_loss(
    depth: torch.Tensor, through: torch.Tensor, normals: torch.Tensor, camera: Camera, counts: torch.Tensor
) -> torch.Tensor:
    """The loss by way of points in space: the cross product of what lies beside and what lies below and above."""
    safe = torch.where(depth > 0, depth, torch.ones_like(depth))
    z = safe / (1 - through).clamp_min(1e-9)
    height, width = depth.shape
    v, u = torch.meshgrid(
        torch.arange(height, dtype=torch.float64) + 0.5, torch.arange(width, dtype=torch.float64) + 0.5, indexing="ij"
    )
    inverse = 1 / z
    # a step on the tangent plane: the point's change while inverse depth changes as between the neighbours
    along, down = (inverse[1:-1, 2:] - inverse[1:-1, :-2]) / 2, (inverse[2:, 1:-1] - inverse[:-2, 1:-1]) / 2
    rays = torch.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, torch.ones_like(u)])[:, 1:-1, 1:-1]
    w = inverse[1:-1, 1:-1]
    zero, one = torch.zeros_like(w), torch.ones_like(w)
    by_u = torch.stack([one / camera.fx, zero, zero]) / w - rays * along / w**2
    by_v = torch.stack([zero, one / camera.fy, zero]) / w - rays * down / w**2
    normal = torch.linalg.cross(by_v, by_u, dim=0)
    normal = normal / normal.norm(dim=0)
    each = (1 - through)[1:-1, 1:-1] - (normals[:, 1:-1, 1:-1] * normal).sum(0)
    total: torch.Tensor = each[counts].sum() / depth.numel()
    return total


def test_the_gradient_matches_the_twin() -> None:
    cloud, camera, rules = random_cloud(120), front_camera(), Rules()
    projection = BACKEND.project(cloud, camera, rules)
    held = Surfaces(cloud, projection, camera, inverse=None, depth_weight=0.0, normal_weight=0.7)
    features, ground = held.drawn(np.zeros(3, np.float32))
    raster = BACKEND.rasterize(projection, features, ground, camera.width, camera.height)
    difference = held.compared(raster, None)
    grad_image = np.concatenate([np.zeros_like(raster.image[:3]), difference.by_features])
    flat = BACKEND.rasterize_backward(raster, grad_image, difference.by_transmittance)
    by_depth = np.ascontiguousarray(flat.features[:, surfaces.DEPTH])
    got = BACKEND.project_backward(cloud, camera, rules, projection, flat, by_depth)
    held.pull(flat, got)

    source = twin.cloud(cloud)
    ellipses = twin.project(source, camera, rules)
    drawn = torch.cat([ellipses.depth[:, None], twin_normals(source, camera)], 1)
    image, through = twin.rasterize(ellipses, drawn, np.zeros(4, np.float32), camera.width, camera.height)
    alpha, depth = 1 - raster.transmittance, raster.image[surfaces.DEPTH]
    covered = (alpha > OPAQUE_FROM) & (depth > 0)
    counts = _on_one_surface(np.where(covered, alpha / np.where(covered, depth, 1), 0), covered)
    loss = 0.7 * twin_loss(image[0], through, image[1:], camera, torch.from_numpy(counts))
    flat_loss = 0.7 * FLATNESS * torch.exp(source.log_scales.min(1).values).mean()
    (loss + flat_loss).backward()  # type: ignore[no-untyped-call]
    assert difference.loss == pytest.approx(float(loss.detach()), rel=1e-4) and counts.sum() > 100
    for (name, mine), (_, want) in zip(got.arrays(), source.gradients().arrays(), strict=True):
        if name == "sh":
            assert not mine.any()  # colours are not pulled at
        else:
            assert np.abs(want).max() > 0 and relative_error(mine, want) <= 1e-3, name


def test_depth_of_a_plane_has_the_planes_normal() -> None:
    camera = front_camera()
    normal, offset = np.array([0.3, -0.5, -0.8]) / np.linalg.norm([0.3, -0.5, -0.8]), -3.0
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)])
    inverse = (np.tensordot(normal, rays, 1) / offset).astype(np.float32)
    found, _ = normals_of_depth(inverse, camera)
    np.testing.assert_allclose(found, np.broadcast_to(normal[:, None, None], found.shape), atol=2e-4)
    drawn = np.tile(normal[:, None, None], (1, *inverse.shape)).astype(np.float32)
    held = normal_loss(np.asarray(1 / inverse, np.float32), np.zeros_like(inverse), drawn, camera)
    assert abs(held.loss) < 1e-5


def test_normals_face_the_camera_and_belong_to_the_shortest_axis() -> None:
    cloud, camera = random_cloud(200), front_camera()
    normals, axes = splat_normals(cloud, camera)
    np.testing.assert_allclose(normals, twin_normals(twin.cloud(cloud), camera).detach().numpy(), atol=1e-5)
    assert (np.abs(axes) - 1 == cloud.log_scales.argmin(1)).all() and (axes < 0).any() and (axes > 0).any()
    gradients = cloud.zeros()
    turn_and_press(cloud, camera, axes, np.zeros_like(normals), 1.0, gradients)
    pressed = gradients.log_scales > 0
    assert (pressed.sum(1) == 1).all() and (pressed.argmax(1) == cloud.log_scales.argmin(1)).all()
    assert not gradients.quaternions.any() and not gradients.positions.any()


def test_what_is_transparent_masked_or_beside_an_edge_counts_nothing() -> None:
    camera = front_camera(width=9, height=7)
    depth, through = np.full((7, 9), 2.0, np.float32), np.zeros((7, 9), np.float32)
    depth[:, 6:] = 4
    through[1, 1] = 0.9
    mask = np.ones((7, 9), bool)
    mask[4, 4] = False
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(3, 7, 9)).astype(np.float32)
    held = normal_loss(depth, through, normals, camera, mask=mask)
    counts = held.by_normals.any(0)
    wanted = np.zeros((7, 9), bool)
    wanted[1:-1, 1:-1] = True
    wanted[:, 5:7] = False  # beside the edge
    wanted[1, 1] = wanted[1, 2] = wanted[2, 1] = wanted[4, 4] = False
    np.testing.assert_array_equal(counts, wanted)


def test_nothing_is_drawn_when_it_is_off_or_has_not_begun() -> None:
    free, late = Trainer(PHOTOGRAPHS, SHORT), Trainer(
        PHOTOGRAPHS, msgspec.structs.replace(SHORT, normal_weight=0.5, normals_from=0.6)
    )  # fmt: skip
    for _ in range(4):
        free.step()
        late.step()
    assert bits(free.parameters) == bits(late.parameters)
    for _ in range(4):
        free.step()
        late.step()
    assert bits(free.parameters) != bits(late.parameters)


def bits(parameters: Parameters) -> bytes:
    return b"".join(array.tobytes() for _, array in parameters.arrays())


@pytest.mark.parametrize("changes", [{}, {"exposure": True, "background": "random", "depth_weight": 0.2}])
def test_the_same_seed_and_a_resumed_run_give_the_same_bytes(tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = msgspec.structs.replace(SHORT, normal_weight=0.5, **changes)
    whole, cut = Trainer(PHOTOGRAPHS, settings), Trainer(PHOTOGRAPHS, settings)
    for report in whole:
        assert np.isfinite(report.loss)
    for _ in range(5):
        cut.step()
    checkpoint.save(cut, tmp_path / "state.npz")
    resumed = Trainer(PHOTOGRAPHS, settings, initial=random_cloud(1, sh_count=4))
    checkpoint.load(resumed, tmp_path / "state.npz")
    for _ in resumed:
        pass
    assert bits(resumed.parameters) == bits(whole.parameters)


def trained(settings: TrainerSettings) -> Trainer:
    trainer = Trainer([p for index, p in enumerate(PHOTOGRAPHS) if index not in HELD_OUT], settings)
    for _ in trainer:
        pass
    return trainer


def test_surfaces_become_smoother() -> None:
    settings = TrainerSettings(iterations=200, splats_max=2000, sh_degree=1, seed=1)
    free, held = trained(settings), trained(msgspec.structs.replace(settings, normal_weight=0.05))
    before, after = ([angles_deg(one, SEEN[index]) for index in HELD_OUT] for one in (free, held))
    for which, share in ((0, 0.9), (1, 0.8)):
        rough = np.mean([angles[which].mean() for angles in before])
        smooth = np.mean([angles[which].mean() for angles in after])
        assert smooth < share * rough, (which, rough, smooth)
    held_out = [PHOTOGRAPHS[index] for index in HELD_OUT]
    assert held.evaluate(held_out).psnr > free.evaluate(held_out).psnr - 0.3
