"""Pictures as reliefs: the right way up, the right size, printable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.assets import Image, Mesh
from engines.geometry import check_mesh
from engines.kinds import ColourSpace, MapName
from generators.events import Event, GeneratorError, Note, Produced, Request
from generators.meshes import from_image
from generators.meshes.specs import FromImageParams
from generators.meshes.topology import volume_m3
from tests.generators.meshes.shapes import Bench, closed, edge_uses


def ramp(rows: int = 40, columns: int = 60) -> Image:
    """Black at the left, white at the right; red stays, the upper half is bluish."""
    x = np.linspace(0, 255, columns)[None].repeat(rows, 0)
    pixels = np.stack([x, x, x], axis=-1)
    return Image(pixels.astype(np.uint8), ColourSpace.SRGB, "ramp")


def run(image: Image | None, depth: Image | None = None, **values: Any) -> tuple[Mesh, str]:
    inputs = {name: asset for name, asset in (("image", image), ("depth", depth)) if asset is not None}
    events: list[Event] = list(from_image.run(Request(FromImageParams(**values), 0, inputs), Bench()))
    mesh = next(event.asset for event in events if isinstance(event, Produced))
    assert isinstance(mesh, Mesh)
    check_mesh(mesh)
    return mesh, " ".join(event.text for event in events if isinstance(event, Note))


def test_bright_is_high_and_the_size_is_as_asked() -> None:
    mesh, notes = run(ramp(), width_m=0.12, height_m=0.02, base_m=0.003, source="luminance")
    assert closed(mesh.faces) and volume_m3(mesh.positions, mesh.faces) > 0
    low, high = mesh.positions.min(0), mesh.positions.max(0)
    np.testing.assert_allclose(high - low, [0.12, 0.12 * 39 / 59, 0.023], rtol=2e-3)
    front = mesh.positions[:, 2] > -0.002
    slope = np.polyfit(mesh.positions[front, 0], mesh.positions[front, 2], 1)[0]
    assert slope == pytest.approx(0.02 / 0.12, rel=0.05)
    assert "no true shape" in notes and "watertight" in notes
    want = 0.12 * 0.12 * 39 / 59 * (0.003 + 0.01)
    assert volume_m3(mesh.positions, mesh.faces) == pytest.approx(want, rel=0.01)


def test_the_picture_lies_on_it_as_it_was() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:8, :8] = (255, 0, 0)
    mesh, _ = run(Image(pixels, ColourSpace.SRGB), solid=False, source="luminance")
    assert mesh.uvs is not None and mesh.material is not None and set(edge_uses(mesh.faces)) == {1, 2}
    corner = int(np.argmin(mesh.positions[:, 0] - mesh.positions[:, 1]))
    np.testing.assert_allclose(mesh.uvs[corner], [0, 1], atol=1e-6)
    assert mesh.positions[corner, 2] > 0.005
    assert np.array_equal(mesh.material.maps[MapName.BASE_COLOR].pixels, pixels)
    assert mesh.normals is not None and mesh.normals[:, 2].mean() > 0.5


def test_a_depth_image_comes_before_brightness() -> None:
    y = np.linspace(1, 3, 50, dtype=np.float32)[:, None].repeat(50, 1)
    y[0, 0] = np.inf
    depth = Image(np.ascontiguousarray(y[..., None]), ColourSpace.DATA)
    near, notes = run(ramp(50, 50), depth, near_is_bright=False, solid=False)
    top = near.positions[near.positions[:, 1] > 0.04, 2].mean()
    bottom = near.positions[near.positions[:, 1] < -0.04, 2].mean()
    assert top > bottom + 0.005 and "depth image" in notes


def test_odd_pictures() -> None:
    grey = Image(np.full((3, 200, 1), 128, np.uint8), ColourSpace.SRGB)
    mesh, _ = run(grey)
    assert closed(mesh.faces)
    tall = Image(np.random.default_rng(0).integers(0, 255, (300, 4, 4), np.uint8), ColourSpace.SRGB)
    assert closed(run(tall, triangles=2000)[0].faces)
    budget, _ = run(ramp(400, 600), triangles=900)
    assert len(budget.faces) <= 900 and closed(budget.faces)
    with pytest.raises(GeneratorError, match="no picture"):
        run(None)
    empty = Image(np.full((4, 4, 1), np.nan, np.float32), ColourSpace.DATA)
    with pytest.raises(GeneratorError, match="no positive numbers"):
        run(ramp(), empty)
