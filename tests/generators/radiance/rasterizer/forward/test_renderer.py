"""The forward renderer against the backends that it stands in for, and what it is told to leave out."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Projection, Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.rasterizer.forward.cloud import BLOCK, drawn_cloud
from generators.radiance.rasterizer.forward.renderer import Look, Renderer
from tests.generators.radiance.scenes import front_camera, random_cloud, reference_picture, textured_room

BACKEND = NumbaBackend()


def forward(cloud: Parameters, camera: Camera, look: Look, blocks: int | None = None) -> NDArray[np.uint8]:
    picture = Renderer(drawn_cloud(cloud)).draw(camera, look, blocks=blocks)
    assert picture is not None
    return picture


def by_backend(cloud: Parameters, camera: Camera, look: Look) -> NDArray[np.float32]:
    """Grey levels [H, W, 3] over black, or with the alpha that there is, [H, W, 4]; splats `size` times as large."""
    sized = replace(cloud, log_scales=cloud.log_scales + np.float32(np.log(look.size)))
    projection = BACKEND.project(sized, camera, Rules(near=look.near, sh_count=look.sh_count))
    back = np.full(3, look.background or 0.0, np.float32)
    raster = BACKEND.rasterize(projection, projection.colour, back, camera.width, camera.height)
    planes = raster.image if look.background is not None else [*raster.image, 1 - raster.transmittance]
    levels: NDArray[np.float32] = np.clip(np.stack(list(planes), -1) * 255, 0, 255).astype(np.float32)
    return levels


def likeness_db(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(10 * np.log10(255**2 / max(np.mean(np.square(one - other)), 1e-9)))


INSIDE = looking_at((0, 0, 0.2), (0, 0, -1), fov_y_deg=90, width=140, height=130)
CASES = {
    "degree 0": (random_cloud(200, sh_count=1), front_camera(), Look(0.0)),
    "degree 3": (random_cloud(200, sh_count=16), front_camera(), Look(0.0)),
    "degree 3 limited to 1": (random_cloud(100, sh_count=16), front_camera(), Look(1.0, sh_count=4)),
    "many tiny": (random_cloud(4000, size=-5.0), front_camera(), Look(0.3)),
    "few huge": (random_cloud(30, size=0.5), front_camera(), Look(0.0)),
    "many": (random_cloud(3000), front_camera(200, 133), Look(0.0)),
    "camera inside": (random_cloud(2000), INSIDE, Look(0.0)),
    "a room": (textured_room(), front_camera(160, 120), Look(0.0)),
    "smaller splats": (random_cloud(300), front_camera(), Look(0.0, size=0.4)),
    "odd principal point": (random_cloud(150), replace(front_camera(), cx=10.3, cy=40.2, fx=40.0), Look(0.5)),
    "one pixel": (random_cloud(50), front_camera(1, 1), Look(0.0)),
    "exactly a tile": (random_cloud(80), front_camera(16, 32), Look(0.0)),
    "needles": (
        replace(random_cloud(400), log_scales=np.tile(np.array([-0.5, -7, -6], np.float32), (400, 1))),
        front_camera(120, 90),
        Look(0.0),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_picture_is_the_backends(case: str) -> None:
    cloud, camera, look = CASES[case]
    found, wanted = forward(cloud, camera, look).astype(np.float32), by_backend(cloud, camera, look)
    assert likeness_db(found, wanted) > 55
    assert np.abs(found - wanted).max() < 4


class Overheard(NumbaBackend):
    """Remembers what it was asked to draw."""

    def project(self, parameters: Parameters, camera: Camera, rules: Rules, *, sound: bool = False) -> Projection:
        self.asked = (parameters, camera)
        return super().project(parameters, camera, rules, sound=sound)


@pytest.mark.parametrize("case", ["tiny_case", "basic_case"])
def test_picture_matches_gsplat(case: str) -> None:
    backend = Overheard()
    _, wanted = reference_picture(backend, case)
    found = forward(*backend.asked, Look(0.0)).astype(np.float32)
    assert likeness_db(found, np.clip(wanted[..., :3] * np.float32(255), 0, 255)) > 55


@pytest.mark.parametrize("case", ["many", "a room", "camera inside"])
def test_alpha_is_straight_and_the_backends(case: str) -> None:
    cloud, camera, look = CASES[case]
    look = replace(look, background=None)
    found, wanted = forward(cloud, camera, look).astype(np.float32), by_backend(cloud, camera, look)
    assert np.abs(found[..., 3] - wanted[..., 3]).max() < 2
    over_black = found[..., :3] * found[..., 3:] / np.float32(255)
    assert likeness_db(over_black, wanted[..., :3]) > 50


def test_the_same_bytes_for_any_number_of_threads_and_any_bands() -> None:
    cloud, camera = random_cloud(3000, sh_count=9, seed=2), front_camera(200, 150)
    renderer, before = Renderer(drawn_cloud(cloud)), numba.get_num_threads()
    pictures = set()
    try:
        for threads in range(1, before + 1):
            numba.set_num_threads(threads)
            for bands in (1, 3, 7):
                picture = renderer.draw(camera, Look(), bands=bands)
                assert picture is not None
                pictures.add(picture.tobytes())
    finally:
        numba.set_num_threads(before)
    assert len(pictures) == 1


def test_a_small_picture_looks_like_the_large_one_from_further_away() -> None:
    cloud, large = random_cloud(4000, size=-4.5, seed=5), front_camera(256, 192)
    whole = by_backend(cloud, large, Look(0.0))
    wanted = whole.reshape(96, 2, 128, 2, 3).mean((1, 3))
    small = large.resized(128, 96)
    like = likeness_db(forward(cloud, small, Look(0.0, shrunk=2.0)).astype(np.float32), wanted)
    plain = likeness_db(forward(cloud, small, Look(0.0)).astype(np.float32), wanted)
    assert like > 30 and like > plain + 3


def test_it_can_be_given_up_after_every_part() -> None:
    renderer, camera = Renderer(drawn_cloud(random_cloud(500))), front_camera(64, 64)
    whole = renderer.draw(camera, Look(), bands=4)
    for parts in range(6):
        asked: list[int] = []

        def given_up(asked: list[int] = asked, parts: int = parts) -> bool:
            asked.append(1)
            return len(asked) > parts

        picture = renderer.draw(camera, Look(), bands=4, given_up=given_up)
        if parts < 5:
            assert picture is None and len(asked) == parts + 1
        else:
            assert picture is not None and whole is not None and np.array_equal(picture, whole)


def test_one_renderer_serves_pictures_of_any_size_in_any_order() -> None:
    cloud = random_cloud(2000, seed=8)
    renderer = Renderer(drawn_cloud(cloud))
    for width, height in ((40, 30), (300, 200), (17, 90), (300, 200)):
        picture = renderer.draw(front_camera(width, height), Look(0.0))
        assert picture is not None
        assert np.array_equal(picture, forward(cloud, front_camera(width, height), Look(0.0)))


def test_degenerate_splats_draw_nothing_or_what_the_backend_draws() -> None:
    cloud = random_cloud(9, seed=7)
    cloud.log_scales[0] = -np.inf  # a point
    cloud.log_scales[1] = (-np.inf, 0.0, 0.0)  # a disc without thickness
    cloud.log_scales[2] = 60.0  # larger than anything
    cloud.positions[3] = (0.3, 0.5, 9.0)  # behind the camera
    cloud.positions[4] = (0.3, 0.5, 4.0)  # in the very eye
    cloud.quaternions[5] = 0.0
    cloud.logits[6] = -200.0
    cloud.logits[7] = 200.0
    cloud.positions[8] = 1e18
    found, wanted = forward(cloud, front_camera(), Look(0.0)), by_backend(cloud, front_camera(), Look(0.0))
    assert likeness_db(found.astype(np.float32), wanted) > 50


def test_no_splats_leave_the_background() -> None:
    empty = random_cloud(3).take(np.zeros(0, np.int64))
    assert (forward(empty, front_camera(), Look(1.0)) == 255).all()
    assert not forward(empty, front_camera(), Look()).any()


def test_blocks_are_a_picture_of_what_matters_most() -> None:
    cloud, camera = random_cloud(40 * BLOCK, size=-4.0), front_camera(120, 90)
    drawn = drawn_cloud(cloud)
    assert drawn.levels[-1] == 40 and list(drawn.levels) == sorted(set(drawn.levels))
    first = drawn.blocks_for(0.5 * len(cloud))
    assert drawn.levels[0] <= first <= 20 and drawn.blocks_for(1) == drawn.levels[0]
    part, whole = forward(cloud, camera, Look(0.0), blocks=first), forward(cloud, camera, Look(0.0))
    rest = cloud.take(np.arange(len(cloud) // 2))
    random = forward(rest, camera, Look(0.0))
    wanted = whole.astype(np.float32)
    assert likeness_db(part.astype(np.float32), wanted) > likeness_db(random.astype(np.float32), wanted)
