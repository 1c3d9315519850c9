from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Array, FloatArray, Image, Mesh
from engines.kinds import ColourSpace
from engines.splat_values import colour_from_dc
from generators.events import GeneratorError
from generators.splats.clouds import ARRAYS
from generators.splats.grading import oklab_from_display
from generators.splats.palettes import HIGH, LOW, NODES, Table, distance
from generators.splats.params import RecolourParams
from tests.generators.splats.clouds_at_hand import edited, random_cloud, sheet, view, waves


def sunset() -> Image:
    y, x = np.mgrid[0:64, 0:96] / np.array([64, 96])[:, None, None]
    colours = np.stack([0.95 - 0.5 * y**2, 0.45 + 0.3 * (1 - y) * np.sin(3 * x) ** 2, 0.25 + 0.5 * y], -1)
    return Image((colours * 255).astype(np.uint8))


def palette(colours: Array) -> FloatArray:
    rng = np.random.default_rng(0)
    return oklab_from_display(np.clip(colours.reshape(-1, 3)[rng.integers(0, colours.size // 3, 5000)], 0, 1))


def test_a_table_is_exact_at_its_nodes_and_straight_between() -> None:
    rng = np.random.default_rng(0)
    nodes = rng.random((NODES, NODES, NODES, 3)).astype(np.float32)
    places = rng.integers(0, NODES, (200, 3))
    colours = (LOW + places * (HIGH - LOW) / (NODES - 1)).astype(np.float32)
    np.testing.assert_allclose(Table(nodes)(colours), nodes[tuple(places.T)], atol=1e-3)
    line = np.linspace(LOW, HIGH, NODES, dtype=np.float32)
    rest = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1)
    anywhere = rng.uniform(-1, 2, (300, 3)).astype(np.float32)
    np.testing.assert_allclose(Table(rest)(anywhere), anywhere, atol=1e-5)


@pytest.mark.parametrize(("method", "nearer"), [("transport", 0.15), ("mean", 0.5)])
def test_the_cloud_takes_the_colours_of_the_picture(method: str, nearer: float) -> None:
    cloud, picture = sheet(5000, colour=waves), sunset()
    done = edited("recolour", RecolourParams(method=method), cloud=cloud, reference=picture)  # type: ignore[arg-type]
    target = palette(picture.pixels / np.float32(255))
    before = distance(palette(colour_from_dc(cloud.sh[:, 0])), target)
    after = distance(palette(colour_from_dc(done.cloud.sh[:, 0])), target)
    assert before > 0.05 and after < nearer * before
    assert f"were {before:.2f}"[:8] in done.notes[0] or "were 0." in done.notes[0]
    half = edited("recolour", RecolourParams(method=method, strength=0.5), cloud=cloud, reference=picture)  # type: ignore[arg-type]
    np.testing.assert_allclose(half.cloud.sh, (cloud.sh + done.cloud.sh) / 2, atol=1e-4)


def test_its_own_colours_change_it_little() -> None:
    cloud = sheet(8000, colour=waves)
    own = (np.clip(colour_from_dc(cloud.sh), 0, 1) * 255 + 0.5).astype(np.uint8)
    done = edited("recolour", RecolourParams(), cloud=cloud, reference=Image(own)).cloud
    assert np.abs(colour_from_dc(done.sh) - colour_from_dc(cloud.sh)).mean() < 0.02


def test_a_grade_and_nothing_asked() -> None:
    cloud = random_cloud(300)
    done = edited("recolour", RecolourParams(exposure_stops=1), previews=True, cloud=cloud)
    assert view(done.cloud).mean() > 1.2 * view(cloud).mean()
    assert len(done.previews) == 1
    same = edited("recolour", RecolourParams(), cloud=cloud)
    assert same.cloud is cloud and "at rest" in same.notes[0]


def test_references_without_colours_are_refused() -> None:
    cloud = random_cloud(30)
    data = Image(np.zeros((4, 4, 3), np.uint8), ColourSpace.DATA)
    with pytest.raises(GeneratorError, match="a data map"):
        edited("recolour", RecolourParams(), cloud=cloud, reference=data)
    with pytest.raises(GeneratorError, match="fully transparent"):
        edited("recolour", RecolourParams(), cloud=cloud, reference=Image(np.zeros((4, 4, 4), np.uint8)))
    mesh = Mesh(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.uint32))
    with pytest.raises(GeneratorError, match="expected a picture, got a mesh"):
        edited("recolour", RecolourParams(), cloud=cloud, reference=mesh)
    grey = edited("recolour", RecolourParams(), cloud=cloud, reference=Image(np.full((8, 8, 1), 99, np.uint8))).cloud
    assert np.ptp(colour_from_dc(grey.sh[:, 0]), axis=1).max() < 0.15


def test_the_same_request_gives_the_same_bytes() -> None:
    cloud, picture = random_cloud(200), sunset()
    one, two = (edited("recolour", RecolourParams(), seed=3, cloud=cloud, reference=picture).cloud for _ in range(2))
    for name in ARRAYS:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
