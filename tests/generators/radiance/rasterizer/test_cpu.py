"""The numba backend against its float64 twin, against gsplat's pictures, and on input that no scene should hold."""

from __future__ import annotations

import threading
from dataclasses import replace

import numba
import numpy as np
import pytest
import torch

from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Raster, RasterGradients, Rules, backend_for, twin
from generators.radiance.rasterizer.cpu import NumbaBackend
from tests.generators.radiance.scenes import front_camera, random_cloud, reference_picture, relative_error

BACKEND = NumbaBackend()
BACKGROUND = np.array([0.2, 0.5, 0.7, 0.1], np.float32)


def drawn(cloud: Parameters, camera: Camera, rules: Rules) -> tuple[Raster, Parameters, RasterGradients]:
    """Colour and depth over a background, and the gradient of a fixed random weighing of everything."""
    rng = np.random.default_rng(5)
    projection = BACKEND.project(cloud, camera, rules)
    features = np.concatenate([projection.colour, projection.depth[:, None]], 1)
    raster = BACKEND.rasterize(projection, features, BACKGROUND, camera.width, camera.height)
    grad_image = rng.normal(size=raster.image.shape).astype(np.float32)
    grad_through = rng.normal(size=raster.transmittance.shape).astype(np.float32)
    flat = BACKEND.rasterize_backward(raster, grad_image, grad_through)
    depth = np.ascontiguousarray(flat.features[:, 3])
    return raster, BACKEND.project_backward(cloud, camera, rules, projection, flat, depth), flat


def slowly_drawn(cloud: Parameters, camera: Camera, rules: Rules) -> tuple[Raster, Parameters]:
    rng = np.random.default_rng(5)
    source = twin.cloud(cloud)
    ellipses = twin.project(source, camera, rules)
    features = torch.cat([ellipses.colour, ellipses.depth[:, None]], 1)
    image, through = twin.rasterize(ellipses, features, BACKGROUND, camera.width, camera.height)
    by_image = torch.from_numpy(rng.normal(size=image.shape).astype(np.float32))
    by_through = torch.from_numpy(rng.normal(size=through.shape).astype(np.float32))
    ((image * by_image).sum() + (through * by_through).sum()).backward()  # type: ignore[no-untyped-call]
    return Raster(image.detach().numpy(), through.detach().numpy(), None), source.gradients()


CASES = {
    "degree 0": (random_cloud(200, sh_count=1), front_camera(), Rules()),
    "degree 1": (random_cloud(200, sh_count=4), front_camera(), Rules()),
    "degree 2": (random_cloud(200, sh_count=9), front_camera(), Rules()),
    "degree 3": (random_cloud(200, sh_count=16), front_camera(), Rules()),
    "degree 3 limited to 1": (random_cloud(100, sh_count=16), front_camera(), Rules(sh_count=4)),
    "antialiased": (random_cloud(200, sh_count=4, size=-4.0), front_camera(), Rules(antialiased=True)),
    "many tiny": (random_cloud(400, size=-5.0), front_camera(), Rules()),
    "few huge": (random_cloud(30, size=0.5), front_camera(), Rules()),
    "camera inside": (
        random_cloud(200),
        looking_at((0, 0, 0.2), (0, 0, -1), fov_y_deg=90, width=40, height=30),
        Rules(),
    ),
    "odd principal point": (random_cloud(150), replace(front_camera(), cx=10.3, cy=40.2, fx=40.0), Rules(blur_px2=0.1)),
    "one pixel": (random_cloud(50), front_camera(1, 1), Rules()),
    "exactly a tile": (random_cloud(80), front_camera(16, 32), Rules()),
}


@pytest.mark.parametrize("case", CASES)
def test_picture_and_gradients_match_the_twin(case: str) -> None:
    cloud, camera, rules = CASES[case]
    fast, gradients, _ = drawn(cloud, camera, rules)
    slow, expected = slowly_drawn(cloud, camera, rules)
    assert np.abs(fast.image - slow.image).max() < 2e-3  # a pixel may stop one splat earlier: ≤ 1e-4 of what follows
    assert np.abs(fast.transmittance - slow.transmittance).max() < 2e-4
    for (name, got), (_, want) in zip(gradients.arrays(), expected.arrays(), strict=True):
        assert relative_error(got, want) <= 1e-3, name


@pytest.mark.parametrize("case", ["tiny_case", "basic_case"])
def test_picture_matches_gsplat(case: str) -> None:
    image, wanted = reference_picture(BACKEND, case)
    assert -10 * np.log10(np.mean((image[..., :3] - wanted[..., :3]) ** 2)) >= 100
    assert np.abs(image[..., 3] - wanted[..., 3]).max() < 1e-4


def all_bits(raster: Raster, gradients: Parameters) -> bytes:
    arrays = [raster.image, raster.transmittance, *(array for _, array in gradients.arrays())]
    return b"".join(array.tobytes() for array in arrays)


def test_same_bits_for_any_number_of_threads() -> None:
    cloud, camera = random_cloud(800, sh_count=9, seed=2), front_camera(120, 90)
    before = numba.get_num_threads()
    try:
        results = set()
        for threads in range(1, before + 1):
            numba.set_num_threads(threads)
            raster, gradients, _ = drawn(cloud, camera, Rules())
            results.add(all_bits(raster, gradients))
    finally:
        numba.set_num_threads(before)
    assert len(results) == 1


def test_two_python_threads_may_draw_at_once() -> None:
    cloud, camera = random_cloud(300), front_camera(100, 80)
    expected = all_bits(*drawn(cloud, camera, Rules())[:2])
    results: list[bytes] = []

    def work() -> None:
        results.extend(all_bits(*drawn(cloud, camera, Rules())[:2]) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 10


def test_order_of_splats_does_not_matter() -> None:
    cloud, camera = random_cloud(200, seed=4), front_camera()
    rows = np.random.default_rng(0).permutation(200)
    first, gradients, _ = drawn(cloud, camera, Rules())
    second, shuffled, _ = drawn(cloud.take(rows), camera, Rules())
    assert np.array_equal(first.image, second.image)
    assert relative_error(shuffled.positions, gradients.positions[rows]) < 1e-5


def test_degenerate_splats_draw_nothing_or_something_finite() -> None:
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
    for rules in (Rules(), Rules(antialiased=True)):
        raster, gradients, _ = drawn(cloud, front_camera(), rules)
        assert np.isfinite(raster.image).all() and np.isfinite(raster.transmittance).all()
        for name, array in gradients.arrays():
            assert np.isfinite(array).all(), name
        for index in (3, 4, 6, 8):
            assert not gradients.positions[index].any()


def test_no_splats_leave_the_background() -> None:
    camera = front_camera()
    raster, gradients, _ = drawn(random_cloud(0), camera, Rules())
    assert np.array_equal(raster.image, np.broadcast_to(BACKGROUND[:, None, None], raster.image.shape))
    assert (raster.transmittance == 1).all() and len(gradients) == 0


@pytest.mark.parametrize("group", ["positions", "log_scales", "quaternions", "logits", "sh"])
def test_nan_is_refused_by_name(group: str) -> None:
    cloud = random_cloud(5)
    getattr(cloud, group)[3] = np.nan
    with pytest.raises(ValueError, match=rf"{group} of splat 3 is not finite"):
        BACKEND.project(cloud, front_camera(), Rules())


def test_shapes_that_do_not_fit_are_refused() -> None:
    projection = BACKEND.project(random_cloud(5), front_camera(), Rules())
    with pytest.raises(ValueError, match=r"expected features \[N, C\]"):
        BACKEND.rasterize(projection, projection.colour[:4], np.zeros(3, np.float32), 8, 8)
    strided = np.zeros((5, 6), np.float32)[:, ::2]
    with pytest.raises(ValueError, match="positions: expected contiguous float32"):
        BACKEND.project(replace(random_cloud(5), positions=strided), front_camera(), Rules())


def test_the_cpu_gets_the_numba_backend() -> None:
    assert backend_for("cpu").name == "numba"
