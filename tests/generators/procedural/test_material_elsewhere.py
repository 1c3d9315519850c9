"""Materials and simulations on another device than the processor: nothing misplaced, nothing in float64, one result."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engines.assets import Material
from engines.kinds import MapName
from generators.events import Produced, Request
from generators.procedural.draft import lit
from generators.procedural.family_table import FAMILIES
from generators.procedural.fluid import PlumeSimulation
from generators.procedural.loop_scenes import PLUMES
from generators.procedural.material import Plan, _maps, build, plan, run
from generators.procedural.material_spec import ProceduralMaterialParams
from generators.procedural.modifiers import APPLY
from generators.procedural.small_specs import LoopParams
from tests.generators.elsewhere import ELSEWHERE, elsewhere
from tests.generators.procedural.test_material import Desk

WIDE = {torch.float64, torch.complex128}


def drawn(settled: Plan, size_px: int, device: str) -> dict[str, NDArray[np.generic]]:
    surface = build(settled, size_px, 3, device, lambda: None)
    return {str(name): image.pixels for name, image in _maps(surface)} | {"lit": lit(surface)}


@torch.inference_mode()
def assert_alike(settled: Plan) -> None:
    want = drawn(settled, 32, "cpu")
    with elsewhere() as watch:
        got = drawn(settled, 32, ELSEWHERE)
    assert watch.calls > 50 and not WIDE & set(watch.dtypes)
    for name, pixels in want.items():
        assert np.abs(got[name].astype(int) - pixels).max() <= 1, name


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_a_family_is_drawn_where_it_is_asked_for(family: str) -> None:
    assert_alike(plan(ProceduralMaterialParams(family=family)))  # type: ignore[arg-type]


@pytest.mark.parametrize("effect", [name for name, _ in APPLY])
def test_an_effect_is_applied_where_the_surface_is(effect: str) -> None:
    settled = plan(ProceduralMaterialParams(family="bricks", colour="teal", relief=1.5))
    assert_alike(Plan(**{**settled.__dict__, "effects": {effect: 0.7}}))


def test_smoke_rises_where_it_is_asked_to() -> None:
    params = LoopParams(kind="smoke")

    def frames(device: str) -> NDArray[np.float32]:
        rng = np.random.default_rng(1)
        simulation = PlumeSimulation(32, PLUMES[params.kind].scaled(params), 6, rng, device)
        return np.stack([simulation.step().cpu().numpy() for _ in range(6)])

    want = frames("cpu")
    with elsewhere() as watch:
        got = frames(ELSEWHERE)
    assert watch.calls > 50 and not WIDE & set(watch.dtypes)
    assert np.allclose(got, want, atol=1e-5)


class CardDesk(Desk):
    device = "cuda:0"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_a_card_draws_what_the_processor_draws(family: str) -> None:
    """Rounding differs, and now and then tips a feature over its threshold: few pixels change, and not the look."""
    made = []
    for desk in (Desk(), CardDesk()):
        params = ProceduralMaterialParams(family=family, size_px=256)  # type: ignore[arg-type]
        *_, last = run(Request(params, 3), desk)
        assert isinstance(last, Produced) and isinstance(last.asset, Material)
        made.append(last.asset.maps)
    for name in (MapName.BASE_COLOR, MapName.NORMAL, MapName.ROUGHNESS, MapName.METALLIC, MapName.OCCLUSION):
        away = np.abs(made[0][name].pixels.astype(int) - made[1][name].pixels)
        assert (away > 4).mean() < 0.02 and away.mean() < 0.5, name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_memory_of_a_large_material_is_bounded_and_given_back() -> None:
    held = torch.cuda.memory_allocated(0)
    torch.cuda.reset_peak_memory_stats(0)
    for _ in run(Request(ProceduralMaterialParams(family="bricks", size_px=4096), 3), CardDesk()):
        pass
    assert torch.cuda.max_memory_allocated(0) - held < 6 * 2**30
    assert torch.cuda.memory_allocated(0) <= held + 2**20
