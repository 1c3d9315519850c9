from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.assets import Asset, Clip, Field, Image, Material, Mesh, Placement, ScenePlan, Sound, Splats
from engines.asymmetric import asymmetric_image, asymmetric_material, asymmetric_mesh, asymmetric_splats
from engines.field_lattice import field_from_grid
from engines.kinds import ColourSpace, Kind, MapName
from engines.material_view import lit_ball, lit_tile, occlusion_of, sampled
from engines.mesh_view import candidates, splats_picture, three_quarter, visible
from engines.shading import KEY, Surface, displayed, lit
from engines.thumbnail import thumbnail
from tests.engines.captures import PHOTOGRAPHS, capture, photograph


def data(values: NDArray[np.float64]) -> Image:
    return Image(values[..., None].astype(np.float32), ColourSpace.DATA)


def waves(size: int = 64, tileable: bool = True) -> Material:
    y, x = np.mgrid[0:size, 0:size] / size
    height = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * x) * np.sin(2 * np.pi * 2 * y)
    base = Image(np.round(np.stack([height, 0.5 + 0 * x, 1 - height], -1) * 200).astype(np.uint8))
    maps = {MapName.BASE_COLOR: base, MapName.HEIGHT: data(height), MapName.ROUGHNESS: data(0.3 + 0.5 * height)}
    return Material(maps, tile_m=0.5, height_m=0.05, tileable=tileable)


def torus_field() -> Field:
    g = np.mgrid[-1:1:24j, -1:1:24j, -1:1:24j]
    density = 40 * (np.hypot(np.hypot(g[0], g[2]) - 0.6, g[1]) < 0.25)
    return field_from_grid(density, np.moveaxis(g, 0, -1)[..., None, :], low_m=(-1.0,) * 3, pitch_m=2 / 23)


ASSETS: dict[Kind, Callable[[], Asset]] = {
    Kind.IMAGE: asymmetric_image,
    Kind.MATERIAL: asymmetric_material,
    Kind.CLIP: lambda: Clip(np.stack([np.roll(asymmetric_image(64).pixels, 9 * k, 1) for k in range(7)])),
    Kind.SPLATS: asymmetric_splats,
    Kind.MESH: asymmetric_mesh,
    Kind.FIELD: torus_field,
    Kind.SOUND: lambda: Sound(np.sin(np.arange(9000, dtype=np.float32) / 9)[:, None]),
    Kind.SCENE: lambda: ScenePlan((Placement("a"), Placement("b", position_m=(2, 0, 1), scale=(2, 1, 2)))),
}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.CAPTURE])
@pytest.mark.parametrize("size_px", [33, 128])
def test_every_kind_has_a_picture_with_something_in_it(kind: Kind, size_px: int) -> None:
    first, second = thumbnail(ASSETS[kind](), size_px), thumbnail(ASSETS[kind](), size_px)
    assert first.shape == (size_px, size_px, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    assert first.std() > 8


@pytest.mark.parametrize("size_px", [33, 128])
def test_a_capture_is_a_sheet_of_its_photographs(tmp_path: Path, size_px: int) -> None:
    colours = {f"{place:02}.png": photograph((25 * place, 255 - 25 * place, 60)) for place in range(10)}
    packed = capture(tmp_path / "a.zip", {**colours, "transforms.json": b"{}", "03.png": b"no picture at all"})
    sheet = thumbnail(packed, size_px)
    assert sheet.shape == (size_px, size_px, 3)
    gap = max(1, size_px // 64)
    cell = (size_px - 2 * gap) // 3
    middles = [((n // 3) * (cell + gap) + cell // 2, (n % 3) * (cell + gap) + cell // 2) for n in range(9)]
    seen = [tuple(sheet[at].tolist()) for at in middles]
    wanted = [(25 * n, 255 - 25 * n, 60) if n != 3 else (24, 26, 30) for n in range(9)]
    np.testing.assert_allclose(seen, wanted, atol=1)
    assert thumbnail(capture(tmp_path / "b.zip", PHOTOGRAPHS), size_px).std() > 8


@pytest.mark.parametrize("asset", [
    Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint32)),
    Mesh(np.ones((3, 3), np.float32), np.array([[0, 1, 2]], np.uint32)),
    Splats(positions=np.zeros((0, 3), np.float32), rotations=np.zeros((0, 4), np.float32),
           scales=np.zeros((0, 3), np.float32), opacities=np.zeros(0, np.float32), sh=np.zeros((0, 1, 3), np.float32)),
    Sound(np.zeros((0, 1), np.float32)), Sound(np.zeros((5, 2), np.float32)), ScenePlan(),
    Clip(np.zeros((1, 3, 50, 4), np.uint8)), Image(np.full((1, 1, 1), np.nan, np.float32), ColourSpace.DATA),
    Material({MapName.ROUGHNESS: data(np.ones((1, 1)))}),
], ids=lambda a: type(a).__name__)  # fmt: skip
def test_empty_and_tiny_assets_have_one_too(asset: Asset) -> None:
    assert thumbnail(asset, 48).shape == (48, 48, 3)


def test_an_image_keeps_its_colours_and_its_aspect() -> None:
    picture = thumbnail(asymmetric_image(128), 128)
    np.testing.assert_allclose(picture.astype(int), asymmetric_image(128).pixels, atol=1)
    wide = thumbnail(Image(np.full((20, 80, 3), 200, np.uint8)), 80)
    assert (wide[30:50] == 200).all() and (wide[:29] < 40).all()
    clear = thumbnail(Image(np.zeros((16, 16, 4), np.uint8)), 64)
    assert len(np.unique(clear.reshape(-1, 3), axis=0)) == 2  # nothing but the checkerboard


def test_a_large_picture_is_averaged_not_picked() -> None:
    fine = np.zeros((256, 256, 1), np.float32)
    fine[::2] = 1
    picture = thumbnail(Image(fine, ColourSpace.DATA), 64)
    np.testing.assert_allclose(picture.astype(int), 127, atol=1)


def test_the_letter_stands_upright_in_the_picture_of_its_mesh_and_its_splats() -> None:
    for asset in (asymmetric_mesh(), asymmetric_splats()):
        picture = thumbnail(asset, 128).astype(int)
        red, green, blue = (
            np.argwhere((picture[..., c] > 150) & (picture.sum(axis=2) - picture[..., c] < 190)).mean(axis=0)
            for c in range(3)
        )
        assert red[0] < green[0] < blue[0]  # the upper arm above the stem's middle, the blue one at its foot
        assert blue[1] < green[1] < red[1]  # seen from the right, what comes towards the viewer goes left


@pytest.mark.parametrize("tiles", [1, 2, 3])
def test_a_tileable_material_shows_no_seam(tiles: int) -> None:
    material = waves(96)
    size = 96 * tiles
    height = sampled(material, 96)
    np.testing.assert_allclose(height.height_m, (material.maps[MapName.HEIGHT].pixels[..., 0] - 0.5) * 0.05, atol=1e-6)
    picture = lit_tile(material, size, tiles).astype(float)
    across = np.abs(np.diff(picture, axis=1)).mean(axis=(0, 2))
    for seam in range(96, size, 96):
        assert across[seam - 1] <= across.max() * 1.001 and across[seam - 1] < 3 * across.mean()


def test_the_side_towards_the_light_is_brighter_and_hollows_are_darker() -> None:
    material = replace(waves(), maps={**waves().maps, MapName.BASE_COLOR: Image(np.full((64, 64, 3), 128, np.uint8))})
    maps = sampled(material, 128)
    picture = lit_tile(material, 128, 1).astype(float).mean(axis=2)
    towards = maps.normal @ np.array([-0.62, 0.6, 0.42], np.float32)
    assert np.corrcoef(towards.ravel(), picture.ravel())[0, 1] > 0.75
    hollow, crest = maps.height_m < -0.02, maps.height_m > 0.02
    occlusion = occlusion_of(maps.height_m, material.tile_m / 128)
    assert occlusion[hollow].mean() < 0.9 < occlusion[crest].mean() <= 1


def test_flat_metal_shows_its_own_colour() -> None:
    """A plane seen from the front mirrors what is behind the camera; copper must not come out as mud."""
    copper = np.full((64, 64, 3), (247, 191, 159), np.uint8)
    full, rough = np.full((64, 64, 1), 255, np.uint8), np.full((64, 64, 1), 70, np.uint8)
    maps = {
        MapName.BASE_COLOR: Image(copper),
        MapName.METALLIC: Image(full, ColourSpace.DATA),
        MapName.ROUGHNESS: Image(rough, ColourSpace.DATA),
    }
    middle = lit_tile(replace(waves(), maps=maps), 96, 1)[32:64, 32:64].reshape(-1, 3).mean(axis=0)
    assert middle.max() > 150
    assert middle[0] > 1.15 * middle[1] > 1.15 * middle[2]


def test_a_flipped_normal_map_turns_the_light_over() -> None:
    def bump_halves(material: Material) -> tuple[float, float]:
        picture = lit_tile(replace(material, tileable=False), 128, 1).astype(float).mean(axis=2)
        return float(picture[78:88, 86:98].mean()), float(picture[91:101, 86:98].mean())

    material = asymmetric_material(128)
    flat = replace(material, maps={k: v for k, v in material.maps.items() if k in (MapName.BASE_COLOR, MapName.NORMAL)})
    upper, lower = bump_halves(flat)
    normal = flat.maps[MapName.NORMAL].pixels.copy()
    normal[..., 1] = 255 - normal[..., 1]
    turned = replace(flat, maps={**flat.maps, MapName.NORMAL: Image(normal, ColourSpace.DATA)})
    assert upper > lower + 5
    assert bump_halves(turned)[0] < bump_halves(turned)[1] - 5


def test_the_highlight_of_a_polished_ball_is_where_the_light_is() -> None:
    flat = np.zeros((8, 8))
    maps = {MapName.BASE_COLOR: Image(np.full((8, 8, 3), 20, np.uint8)), MapName.ROUGHNESS: data(flat + 0.15)}
    picture = lit_ball(Material(maps), 128).astype(float).sum(axis=2)
    rows, columns = np.mgrid[0:128, 0:128]
    picture[np.hypot(rows - 64, columns - 64) > 40] = 0  # the edge belongs to the rim light
    y, x = np.unravel_index(np.argmax(picture), picture.shape)
    half = np.array(KEY.towards) / np.linalg.norm(KEY.towards) + [0, 0, 1]
    half /= np.linalg.norm(half)
    np.testing.assert_allclose([(x + 0.5) / 128 * 2.2 - 1.1, 1.1 - (y + 0.5) / 128 * 2.2], half[:2], atol=0.06)


def test_no_more_light_leaves_than_arrives() -> None:
    """A white furnace in small: a white surface under one light of unit irradiance gives at most 1/π everywhere."""
    from engines.shading import Light

    normal = np.tile(np.array([0, 0, 1], np.float32), (50, 1))
    white = Surface(np.ones((50, 3), np.float32), normal, np.linspace(0.3, 1, 50, dtype=np.float32))
    overhead = Light((0, 0.8, 0.6), (1 / 0.6,) * 3)
    with_light = lit(white, (overhead,))
    without = lit(white, ())
    assert ((with_light - without) <= 1.25 / np.pi).all() and ((with_light - without) > 0.7 / np.pi).all()


def test_display_is_exact_below_the_knee_and_never_clips_hard() -> None:
    codes = displayed(np.linspace(0, 8, 4000, dtype=np.float32)[:, None] * np.ones(3, np.float32))
    assert (np.diff(codes[:, 0].astype(int)) >= 0).all()
    middle = displayed(np.full((1, 3), 0.2158605, np.float32))
    assert middle.tolist() == [[128, 128, 128]]


def visible_twin(projected: NDArray[np.float64], faces: NDArray[np.uint32], size: int) -> NDArray[np.int64]:
    """One pixel and one triangle at a time."""
    owner = np.full((size, size), -1)
    depth = np.full((size, size), -np.inf)
    for which, face in enumerate(faces.astype(int)):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = projected[face]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-12:
            continue
        for y in range(size):
            for x in range(size):
                px, py = x + 0.5, y + 0.5
                w0 = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                w1 = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                w2 = ((ax - px) * (by - py) - (ay - py) * (bx - px)) / area
                z = w0 * az + w1 * bz + w2 * cz
                if min(w0, w1, w2) >= 0 and z > depth[y, x]:
                    owner[y, x], depth[y, x] = which, z
    return owner.reshape(-1)


def test_the_rasteriser_equals_its_slow_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    projected = rng.uniform(-6, 30, (45, 3))
    faces = rng.integers(0, 45, (30, 3)).astype(np.uint32)
    expected = visible_twin(projected, faces, 24)
    for portion in (10, 1000, 4_000_000):
        monkeypatch.setattr("engines.mesh_view._CANDIDATES", portion)
        pixels, owners, weights = visible(projected, faces, 24)
        got = np.full(24 * 24, -1)
        got[pixels] = owners
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_every_pixel_of_every_box_is_a_candidate_once() -> None:
    low, high = np.array([[1, 2], [5, 5], [0, 0]]), np.array([[4, 4], [5, 9], [2, 1]])
    got = [(int(w), int(x), int(y)) for part in candidates(low, high) for w, x, y in zip(*part, strict=True)]
    expected = [(0, x, y) for y in (2, 3) for x in (1, 2, 3)] + [(2, 0, 0), (2, 1, 0)]
    assert sorted(got) == sorted(expected)


def test_splats_blend_front_to_back_as_their_slow_twin_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from engines import mesh_view

    rng = np.random.default_rng(1)
    count, size = 25, 16
    seen = rng.uniform(0, 16, (count, 3))
    root = rng.normal(size=(count, 2, 2)) * 2
    covariance = root @ root.transpose(0, 2, 1) + 0.3 * np.eye(2)
    opacities, colours = rng.uniform(0.1, 0.9, count), rng.uniform(0, 1, (count, 3))
    behind = np.full((size * size, 3), 0.25)
    expected = np.zeros((size * size, 3))
    for pixel in range(size * size):
        through = 1.0
        for which in np.argsort(-seen[:, 2]):
            offset = np.array([pixel % size + 0.5, pixel // size + 0.5]) - seen[which, :2]
            if (np.abs(offset) > 3 * np.sqrt(np.diag(covariance[which])) + 1).any():
                continue
            alpha = opacities[which] * np.exp(-0.5 * offset @ np.linalg.inv(covariance[which]) @ offset)
            if alpha > 1 / 255:
                expected[pixel] += through * alpha * colours[which]
                through *= 1 - alpha
        expected[pixel] += through * behind[pixel]
    for portion in (50, 4_000_000):
        monkeypatch.setattr("engines.mesh_view._CANDIDATES", portion)
        got = mesh_view._blended(seen, covariance, opacities, colours, behind, size)
        np.testing.assert_allclose(got, expected, atol=0.02)


def sheet(side: int) -> Mesh:
    u, v = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    positions = np.stack([u, v, 0.1 * np.sin(20 * u) * np.cos(15 * v)], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    faces = np.concatenate([
        np.stack([corner, corner + 1, corner + side + 1], 1), np.stack([corner, corner + side + 1, corner + side], 1)
    ]).astype(np.uint32)  # fmt: skip
    uvs = np.stack([u, v], -1).reshape(-1, 2).astype(np.float32)
    return Mesh(positions, faces, uvs=uvs, material=waves())


def test_large_meshes_and_clouds_are_drawn_whole() -> None:
    mesh = sheet(101)
    assert len(mesh.faces) == 20_000
    rng = np.random.default_rng(0)
    count = 300_000
    cloud = Splats(
        positions=rng.normal(size=(count, 3)).astype(np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        scales=np.full((count, 3), 0.01, np.float32),
        opacities=np.full(count, 0.5, np.float32),
        sh=np.zeros((count, 1, 3), np.float32),
    )
    for asset in (mesh, cloud):
        picture = thumbnail(asset, 256)
        assert picture.shape == (256, 256, 3) and picture.std() > 8


def test_a_stray_point_does_not_shrink_the_picture() -> None:
    splats = asymmetric_splats()
    positions = splats.positions.copy()
    many = np.concatenate([positions, positions])
    stray = many.copy()
    stray[0] = 500
    assert three_quarter(stray, 64).scale == pytest.approx(three_quarter(many, 64).scale, rel=0.05)
    assert splats_picture(splats, 32).std() > 8
