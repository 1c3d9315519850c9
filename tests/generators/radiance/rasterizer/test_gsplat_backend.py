"""The CUDA backend: its glue on a stand-in without a card, its reasons when absent, and gsplat itself on a card."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Backend, Rules, backend_for, gsplat_backend, unfit
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.rasterizer.gsplat_backend import GsplatBackend, missing
from tests.generators.radiance.rasterizer import stand_in
from tests.generators.radiance.rasterizer.stand_in import forget, installed
from tests.generators.radiance.rasterizer.test_cpu import CASES
from tests.generators.radiance.scenes import front_camera, random_cloud, reference_picture, relative_error

__all__ = ["forget"]

BACKGROUND = np.array([0.2, 0.5, 0.7, 0.1], np.float32)


def drawn(backend: Backend, cloud: Parameters, camera: Camera, rules: Rules) -> tuple[list[FloatArray], Parameters]:
    """Colour and depth over a background, and the gradients of a fixed random weighing of everything."""
    rng = np.random.default_rng(5)
    projection = backend.project(cloud, camera, rules)
    features = np.concatenate([projection.colour, projection.depth[:, None]], 1)
    raster = backend.rasterize(projection, features, BACKGROUND, camera.width, camera.height)
    grad_image = rng.normal(size=raster.image.shape).astype(np.float32)
    grad_through = rng.normal(size=raster.transmittance.shape).astype(np.float32)
    flat = backend.rasterize_backward(raster, grad_image, grad_through)
    depth = np.ascontiguousarray(flat.features[:, 3])
    gradients = backend.project_backward(cloud, camera, rules, projection, flat, depth)
    return [raster.image, raster.transmittance], gradients


def assert_alike(device: str, case: str, *, image: float, gradient: float) -> None:
    got, got_gradients = drawn(GsplatBackend(device), *CASES[case])
    want, want_gradients = drawn(NumbaBackend(), *CASES[case])
    for mine, theirs in zip(got, want, strict=True):
        assert mine.shape == theirs.shape and mine.dtype == np.float32 and mine.flags.c_contiguous
        assert np.abs(mine - theirs).max() < image
    for (name, mine), (_, theirs) in zip(got_gradients.arrays(), want_gradients.arrays(), strict=True):
        assert mine.shape == theirs.shape and mine.dtype == np.float32, name
        assert relative_error(mine, theirs) < gradient, name


OF_1_6 = ("degree 3", "antialiased", "odd principal point")


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(("case", "release"), [*((case, "1.5") for case in CASES), *((case, "1.6") for case in OF_1_6)])
def test_the_glue_draws_and_differentiates_as_numba_does(
    case: str, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, release)
    # gsplat leaves out the splat that would make a pixel opaque, numba draws it; here neither stops before the end
    monkeypatch.setattr(stand_in, "OPAQUE", 0.0)
    assert_alike("cpu", case, image=2e-3, gradient=5e-3)


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("case", ["degree 3", "few huge"])
def test_where_gsplat_stops_makes_little_difference(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    (got, _), _ = drawn(GsplatBackend("cpu"), *CASES[case])
    (want, _), _ = drawn(NumbaBackend(), *CASES[case])
    assert -10 * np.log10(np.mean((got[:3] - want[:3]) ** 2)) >= 45


@pytest.mark.usefixtures("forget")
def test_the_glue_draws_a_reference_render(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    image, wanted = reference_picture(GsplatBackend("cpu"), "tiny_case")
    assert -10 * np.log10(np.mean((image - wanted) ** 2)) >= 100


@pytest.mark.usefixtures("forget")
def test_no_splats_leave_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    cloud = random_cloud(5)
    cloud.positions[:, 2] = 50.0
    (image, through), gradients = drawn(GsplatBackend("cpu"), cloud, front_camera(), Rules())
    assert np.allclose(image, BACKGROUND[:, None, None]) and (through == 1).all()
    assert not any(array.any() for _, array in gradients.arrays())


@pytest.mark.usefixtures("forget")
def test_an_nan_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    cloud = random_cloud(5)
    cloud.sh[3] = np.nan
    with pytest.raises(ValueError, match="sh of splat 3 is not finite"):
        GsplatBackend("cpu").project(cloud, front_camera(), Rules())


# -- the probe -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_device_the_reason_is_told_and_numba_takes_over() -> None:
    missing.cache_clear()
    assert unfit("cuda:0") == "gsplat needs a CUDA device; this machine has none"
    assert unfit("cpu") is None
    assert backend_for("cuda:0").name == "numba"
    missing.cache_clear()


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: None) -> ModuleType:
    """A machine that says it has a card, and gsplat's stand-in; what is sent to it stays on the processor."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    return installed(monkeypatch)


@pytest.mark.usefixtures("card")
def test_a_gsplat_that_draws_is_fit() -> None:
    assert missing("cpu") is None


def test_what_is_not_installed_is_named_with_its_extra(card: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gsplat", None)
    assert "install scenecast[gpu]" in (missing("cpu") or "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AttributeError("'NoneType' object has no attribute 'intersect_tile'"), "nvcc was not found"),
        (
            RuntimeError("Error building extension\n'gsplat_cuda'"),
            "RuntimeError: Error building extension 'gsplat_cuda'",
        ),
        (AssertionError("torch.Size([1, 2])"), "AssertionError: torch.Size"),
        (ValueError("Unsupported number of color channels: 6"), "ValueError: Unsupported"),
    ],
)
def test_whatever_keeps_gsplat_from_drawing_is_told(
    error: Exception, words: str, card: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(card, "isect_tiles", fails)
    told = missing("cpu") or ""
    assert told.startswith("gsplat is installed but drew nothing: ") and words in told


def test_memory_that_runs_out_in_the_probe_is_no_fault_of_gsplat(
    card: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    projection = card.fully_fused_projection
    monkeypatch.setattr(card, "fully_fused_projection", full)
    with pytest.raises(torch.OutOfMemoryError):
        missing("cpu")
    monkeypatch.setattr(card, "fully_fused_projection", projection)
    assert missing("cpu") is None  # looked at again


@pytest.mark.usefixtures("card")
def test_two_processes_never_compile_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    held: list[bool] = []

    def looks(_: GsplatBackend) -> float:
        with (tmp_path / "scenecast" / "gsplat.lock").open("w") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)
        return 1.0

    monkeypatch.setattr(gsplat_backend, "_one_splat", looks)
    assert missing("cpu") is None and held == [True]


@pytest.mark.usefixtures("card")
def test_an_empty_picture_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsplat_backend, "_one_splat", lambda _: 0.0)
    assert "drew an empty picture" in (missing("cpu") or "")


# -- on a card -----------------------------------------------------------------------------------------------------


@pytest.fixture
def cuda() -> str:
    """The first card, on which gsplat draws."""
    pytest.importorskip("gsplat", reason="needs the extra gpu")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    missing.cache_clear()
    assert missing("cuda:0") is None
    return "cuda:0"


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES)
def test_gsplat_and_numba_agree(case: str, cuda: str) -> None:
    got, got_gradients = drawn(GsplatBackend(cuda), *CASES[case])
    want, want_gradients = drawn(NumbaBackend(), *CASES[case])
    for mine, theirs in ((got[0][:3], want[0][:3]), (got[1], want[1])):
        assert -10 * np.log10(np.mean((mine - theirs) ** 2)) >= 45
    for (name, mine), (_, theirs) in zip(got_gradients.arrays(), want_gradients.arrays(), strict=True):
        assert relative_error(mine, theirs) < 5e-2, name


@pytest.mark.gpu
@pytest.mark.parametrize("case", ["tiny_case", "basic_case"])
def test_gsplat_draws_the_reference_renders(case: str, cuda: str) -> None:
    image, want = reference_picture(GsplatBackend(cuda), case)
    assert -10 * np.log10(np.mean((image - want) ** 2)) >= 45


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_the_second_card_is_drawn_on_when_it_is_named(cuda: str) -> None:
    assert missing("cuda:1") is None
    before = torch.cuda.max_memory_allocated(1)
    first, _ = drawn(GsplatBackend(cuda), *CASES["degree 3"])
    assert torch.cuda.max_memory_allocated(1) == before
    second, _ = drawn(GsplatBackend("cuda:1"), *CASES["degree 3"])
    assert torch.cuda.max_memory_allocated(1) > before and torch.cuda.current_device() == 0
    assert np.allclose(first[0], second[0], atol=1e-4)


@pytest.mark.gpu
def test_memory_is_given_back(cuda: str) -> None:
    drawn(GsplatBackend(cuda), *CASES["degree 3"])
    held = torch.cuda.memory_allocated(0)
    for _ in range(20):
        drawn(GsplatBackend(cuda), *CASES["degree 3"])
    assert torch.cuda.memory_allocated(0) <= held + 2**20
