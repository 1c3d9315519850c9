"""Layouts: they cover the torus, number their cells, and know the way to the joint."""

from collections.abc import Callable

import pytest
import torch

from generators.procedural.canvas import Canvas
from generators.procedural.cells import Cells
from generators.procedural.patterns import courses, herringbone, hexagons, rounded_box, scales, weave

LAYOUTS: dict[str, Callable[[Canvas], Cells]] = {
    "bond": lambda c: courses(c, "a", 6, 3),
    "grid": lambda c: courses(c, "a", 5, 5, shift=0.0),
    "uneven": lambda c: courses(c, "a", 6, 4, shift=None, uneven_rows=0.8, uneven_columns=0.8, radius_m=0.02),
    "herringbone": lambda c: herringbone(c, 8),
    "straight herringbone": lambda c: herringbone(c, 8, diagonal=False),
    "hexagons": lambda c: hexagons(c, 5),
    "scales": lambda c: scales(c, 8),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_are_whole_on_the_torus(name: str) -> None:
    canvas = Canvas(192, seed=2, span_m=1.2)
    cells = LAYOUTS[name](canvas)
    for part in (cells.index, cells.edge, cells.v, cells.u):
        assert part.shape == (192, 192)
    assert int(cells.index.min()) >= 0 and int(cells.index.max()) < cells.count
    assert float(cells.edge.min()) > -0.02
    if name == "scales":
        return
    for axis in (0, 1):
        differs = cells.index != cells.index.roll(-1, axis)
        jump = (cells.edge.roll(-1, axis) - cells.edge).abs()
        assert float(jump.max()) < 0.05, "the way to the joint is continuous, over the border too"
        far = cells.edge > 2.0 * canvas.span_m / canvas.size_px
        assert not bool((differs & far).any()), "cells change at joints only"


def test_a_cell_cut_by_the_border_keeps_its_number() -> None:
    cells = herringbone(Canvas(240, span_m=1.0), 8)
    whole = torch.bincount(cells.index.flatten())
    sizes = whole[whole > 0].float()
    assert float(sizes.max()) < 1.35 * float(sizes.min())


def test_running_bond_moves_each_row_by_half_a_brick() -> None:
    cells = courses(Canvas(240), "a", 4, 3)
    first, second = cells.u[20], cells.u[80]
    torch.testing.assert_close(torch.remainder(first - second, 1.0), torch.full((240,), 0.5), atol=1e-4, rtol=0.0)
    assert len(set(cells.index.flatten().tolist())) == 12


def test_rounded_box_is_a_distance() -> None:
    line = torch.linspace(-1.0, 1.0, 101)
    down, across = line[:, None].expand(101, 101), line[None, :].expand(101, 101)
    inside = rounded_box(down, across, 0.6, 0.8, 0.2)
    assert float(inside[50, 50]) == pytest.approx(0.6, abs=1e-6)
    assert float(inside[20, 50]) == pytest.approx(0.0, abs=1e-6)
    sharp = rounded_box(down, across, 0.6, 0.8, 0.0)
    assert bool((inside <= sharp + 1e-6).all())
    step = (inside[1:] - inside[:-1]).abs().max() / 0.02
    assert float(step) < 1.001


@pytest.mark.parametrize("run", [1, 2, 3])
def test_weaves_go_over_and_under_in_their_share(run: int) -> None:
    cloth = weave(Canvas(240), 12, run, gap=0.0)
    share = float(cloth.over.float().mean())
    assert share == pytest.approx(run / (run + 1) if run > 1 else 0.5, abs=0.12)
    assert int(cloth.thread.max()) < cloth.count
    assert float(cloth.height.min()) >= 0.0 and float(cloth.height.max()) <= 1.0


def test_scales_lie_over_the_row_below() -> None:
    cells = scales(Canvas(256, span_m=1.0), 8)
    step_down = cells.v.roll(-1, 0) - cells.v
    assert float(step_down.min()) < -0.2, "a tip ends where the next row's middle goes on"
    assert float((step_down > 0.0).float().mean()) > 0.85


def test_density_multiplies_what_fits() -> None:
    for density in (1.0, 2.0):
        cells = courses(Canvas(128, density=density), "a", 4, 2)
        assert cells.count == round(4 * density) * round(2 * density)
