from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Array, Image, Mesh, Splats
from engines.colour import as_float
from engines.kinds import ColourSpace
from generators.events import GeneratorError
from generators.splats.clouds import ARRAYS
from generators.splats.from_image import view
from generators.splats.params import FromImageParams
from generators.splats.peeling import Layer, carried, peeled, snapped
from generators.splats.picture_depth import blurred, disparity_of, guided
from generators.splats.pictures import psnr, rendered
from tests.generators.splats.clouds_at_hand import Done, edited

HEIGHT, WIDTH, FOV = 108, 144, 55.0
FOCAL = WIDTH / (2 * np.tan(np.radians(FOV / 2)))
NEAR, FAR = 2.0, 6.0
PIVOT = 2 / (1 / NEAR + 1 / FAR)


def stage() -> tuple[Image, Image]:
    """A striped wall with a plate before it, and the distances in metres."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    colours = np.stack([0.5 + 0.3 * np.sin(x / 6), 0.5 + 0.3 * np.cos(y / 7), 0.4 + 0 * x], -1)
    plate = (np.abs(x - 70) < 24) & (np.abs(y - 50) < 20)
    colours[plate] = np.stack([0.8 + 0.1 * np.sin(y / 3), 0.3 + 0 * y, 0.2 + 0 * y], -1)[plate]
    metres = np.where(plate, NEAR, FAR).astype(np.float32)
    picture = Image((np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8), name="stage")
    return picture, Image(metres[..., None], ColourSpace.DATA)


def made(picture: Image, depth: Image | None = None, **params: object) -> Done:
    inputs = {"image": picture} if depth is None else {"image": picture, "depth": depth}
    values = {"near_m": NEAR, "far_m": FAR, "depth_is": "metres", **params}
    return edited("from_image", FromImageParams(**values), **inputs)  # type: ignore[arg-type]


def gaps(cloud: Splats, angle_deg: float) -> float:
    """Share of the picture through which a white ground shows where everything is darker than it."""
    camera = view(PIVOT, (HEIGHT, WIDTH), FOCAL, angle_deg, WIDTH)
    return float((rendered(cloud, camera, 1.0) - rendered(cloud, camera, 0.0) > 0.4).all(axis=0).mean())


def test_from_the_front_it_is_the_picture_and_every_pixel_lies_where_its_depth_says() -> None:
    picture, depth = stage()
    done = made(picture, depth)
    seen = rendered(done.cloud, view(PIVOT, (HEIGHT, WIDTH), FOCAL, 0, WIDTH), 0.0)
    want = np.asarray(picture.pixels.transpose(2, 0, 1) / 255, np.float32)
    assert psnr(seen, want) > 24
    distances = np.unique(np.round(-done.cloud.positions[:, 2], 3))
    np.testing.assert_allclose([distances.min(), distances.max()], [NEAR, FAR], rtol=1e-3)
    plate = np.abs(-done.cloud.positions[:, 2] - NEAR) < 1e-3
    assert plate.sum() == 47 * 39
    low, high = done.cloud.positions[plate].min(0), done.cloud.positions[plate].max(0)
    np.testing.assert_allclose([low[0], high[0]], [(47.5 - 72) / FOCAL * NEAR, (93.5 - 72) / FOCAL * NEAR], atol=1e-4)
    assert high[1] == pytest.approx(-(31.5 - 54) / FOCAL * NEAR, abs=1e-4), "up in the picture is up"


@pytest.mark.parametrize("angle", [-15.0, -8.0, 8.0, 15.0])
def test_no_hole_shows_from_the_sides(angle: float) -> None:
    picture, depth = stage()
    assert gaps(made(picture, depth).cloud, angle) < 0.003
    bare = made(picture, depth, layers=0, border=False).cloud
    assert gaps(bare, angle) > 0.02, "the test would not notice a hole"


def test_what_is_made_up_behind_the_plate_looks_like_the_wall() -> None:
    picture, depth = stage()
    notes = made(picture, depth).notes
    assert any("made up from what is beside them" in note for note in notes)
    metres = depth.pixels[..., 0]
    front = Layer(as_float(picture.pixels), np.asarray(1 / metres, np.float32), np.ones((HEIGHT, WIDTH), np.bool_))
    [behind, _] = peeled(front, 2, shift_px_m=float(FOCAL * PIVOT * np.tan(np.radians(15))), edge_px=2.0)
    assert (metres[behind.there] == NEAR).all(), "only what is hidden is made up"
    np.testing.assert_allclose(behind.disparity[behind.there], 1 / FAR, rtol=1e-3)
    assert behind.colours[behind.there][:, 2].mean() == pytest.approx(0.4, abs=0.05), "the wall's blue, not the plate's"


def test_sources_lie_beyond_an_edge_within_its_reach() -> None:
    rng = np.random.default_rng(0)
    steps = np.kron(rng.choice([0.2, 0.3, 0.5], (6, 8)), np.ones((7, 7))).astype(np.float32)
    there = np.ones(steps.shape, np.bool_)
    shift, edge = np.float32(40), np.float32(2)
    for farthest in (True, False):
        source = carried(steps, there, shift, edge, farthest)
        rows, columns = np.nonzero(source[..., 0] >= 0)
        at = source[rows, columns]
        opening = (steps[rows, columns] - steps[at[:, 0], at[:, 1]]) * shift
        distance = np.hypot(rows - at[:, 0], columns - at[:, 1])
        assert (opening > edge).all() and (distance <= opening + 3 + 1e-4).all()
        # The slow way: any farther pixel in reach is a reason to be hidden behind.
        for y in range(0, steps.shape[0], 3):
            for x in range(0, steps.shape[1], 3):
                v, u = np.mgrid[0 : steps.shape[0], 0 : steps.shape[1]]
                gap = (steps[y, x] - steps) * shift
                some = (gap > edge) & (np.hypot(v - y, u - x) <= gap)
                if some.any():
                    assert source[y, x, 0] >= 0
                if farthest and some.any():
                    found = steps[source[y, x, 0], source[y, x, 1]]
                    assert found <= steps[some].min() + 0.11


def test_half_way_pixels_are_put_on_one_side_and_slopes_are_left_alone() -> None:
    edge = np.full((9, 20), 0.2, np.float32)
    edge[:, 10:] = 0.5
    edge[:, 9] = 0.33
    whole = np.ones(edge.shape, np.bool_)
    colours = np.zeros((*edge.shape, 3), np.float32)
    got = snapped(Layer(colours, edge, whole), shift_px_m=50, edge_px=2.0).disparity
    assert set(np.unique(got)) == {np.float32(0.2), np.float32(0.5)}
    slope = np.tile(np.linspace(0.2, 0.5, 20, dtype=np.float32), (9, 1))
    np.testing.assert_array_equal(snapped(Layer(colours, slope, whole), shift_px_m=50, edge_px=2.0).disparity, slope)


@pytest.mark.parametrize("guess", ["ground", "gradient", "focus", "centre"])
def test_without_a_depth_picture_a_guess_is_made_and_called_one(guess: str) -> None:
    picture, _ = stage()
    done = made(picture, guess=guess)
    assert any("a guess and no measurement" in note for note in done.notes)
    depths = -done.cloud.positions[:, 2]
    assert depths.min() >= NEAR - 1e-3 and depths.max() <= FAR + 1e-3 and np.ptp(depths) > 0.5
    for angle in (-15.0, 15.0):
        camera = view(PIVOT, (HEIGHT, WIDTH), FOCAL, angle, WIDTH)
        middle = (
            rendered(done.cloud, camera, 1.0)[:, 27:81, 36:108] - rendered(done.cloud, camera, 0.0)[:, 27:81, 36:108]
        )
        assert (middle > 0.4).all(axis=0).mean() < 0.01


def test_a_floor_is_a_plane() -> None:
    picture, _ = stage()
    done = made(picture, guess="ground", horizon=0.4, border=False, near_m=1.0, far_m=50.0)
    low = done.cloud.positions[done.cloud.positions[:, 2] > -8].astype(np.float64)
    line = np.polyfit(low[:, 2], low[:, 1], 1)  # tilted, as the horizon is not in the middle
    assert np.abs(np.polyval(line, low[:, 2]) - low[:, 1]).max() < 0.01


def test_depth_pictures_are_read_as_they_are_said_to_be() -> None:
    picture = np.full((8, 8, 3), 0.5, np.float32)
    ramp = np.tile(np.linspace(0, 1, 8, dtype=np.float32), (8, 1))
    depth = Image((ramp * 255).astype(np.uint8)[..., None], ColourSpace.DATA)

    def read(**params: object) -> Array:
        return disparity_of(picture, depth, FromImageParams(near_m=1, far_m=5, **params))  # type: ignore[arg-type]

    bright, far = read(), read(depth_is="far_bright")
    np.testing.assert_allclose(bright[0], 1 / 5 + ramp[0] * (1 - 1 / 5), atol=0.01)
    np.testing.assert_allclose(far[0], 1 / (1 + 4 * ramp[0]), atol=0.01)
    larger = Image(np.repeat(np.repeat(ramp, 4, 0), 4, 1)[..., None], ColourSpace.DATA)
    np.testing.assert_allclose(disparity_of(picture, larger, FromImageParams(near_m=1, far_m=5)), bright, atol=0.01)


def test_what_is_transparent_gives_no_splats() -> None:
    pixels = np.full((40, 60, 4), 128, np.uint8)
    pixels[..., 3] = 0
    pixels[10:30, 20:50, 3] = 255
    done = made(Image(pixels))
    assert len(done.cloud.positions) == 20 * 30
    with pytest.raises(GeneratorError, match="fully transparent"):
        made(Image(pixels * 0))


def test_nonsense_is_refused_in_words() -> None:
    picture, depth = stage()
    with pytest.raises(GeneratorError, match="nearest is 6 m and farthest 2 m"):
        made(picture, near_m=6.0, far_m=2.0)
    with pytest.raises(GeneratorError, match="holds no distance above 0"):
        made(picture, Image(np.zeros((4, 4, 1), np.float32), ColourSpace.DATA))
    with pytest.raises(GeneratorError, match=r"is 0\.5 everywhere"):
        made(picture, Image(np.full((4, 4, 1), 0.5, np.float32), ColourSpace.DATA), depth_is="near_bright")
    with pytest.raises(GeneratorError, match="expected a picture with colours"):
        made(depth)
    mesh = Mesh(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.uint32))
    with pytest.raises(GeneratorError, match="input 'depth': expected a picture, got a mesh"):
        edited("from_image", FromImageParams(), image=picture, depth=mesh)


def test_it_is_limited_in_size_previewed_and_repeatable() -> None:
    picture, depth = stage()
    params = FromImageParams(size_px=72, border=False, layers=0, depth_is="metres")
    one = edited("from_image", params, previews=True, image=picture, depth=depth)
    assert len(one.cloud.positions) == 72 * 54
    assert one.previews[0].shape[1] == 3 * 224
    two = edited("from_image", params, image=picture, depth=depth)
    for name in ARRAYS:
        assert getattr(one.cloud, name).tobytes() == getattr(two.cloud, name).tobytes()


def test_a_blur_is_the_mean_of_a_square_and_a_guided_one_keeps_edges() -> None:
    values = np.random.default_rng(0).random((12, 17)).astype(np.float32)
    padded = np.pad(values, 2, mode="edge")
    slow = np.mean([padded[y : y + 12, x : x + 17] for y in range(5) for x in range(5)], axis=0)
    np.testing.assert_allclose(blurred(values, 2), slow, atol=1e-6)
    guide = np.zeros((60, 96), np.float32)
    guide[:, 48:] = 1
    noisy = guide + np.random.default_rng(1).normal(0, 0.1, guide.shape).astype(np.float32)
    smooth = guided(noisy, guide)
    assert smooth[:, 50:].mean() - smooth[:, :46].mean() > 0.9 and smooth[:, :44].std() < 0.04
