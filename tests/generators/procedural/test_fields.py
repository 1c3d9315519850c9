"""The periodic fields against slow, obviously right twins, and their wrap."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi, worley
from generators.procedural.details import cracks, fibres, scratches, specks, stains
from generators.procedural.fields import blur, curl, fbm, grain, perlin, sample, smoothstep, spectral, warp
from generators.procedural.scatter import Layout, stamps, strew, strokes

CANVAS = Canvas(96, seed=7, span_m=0.8)


def slow_perlin(canvas: Canvas, name: str, cells: int) -> Tensor:
    """Gradient noise pixel by pixel, from its definition."""
    drawn = canvas.draw(f"{name}/{cells}x{cells}", cells * cells + 2).double()
    angle = drawn[2:].view(cells, cells) * math.tau
    n = canvas.size_px
    out = torch.empty(n, n, dtype=torch.float64)
    for row in range(n):
        for column in range(n):
            y = ((row + 0.5) / n + float(drawn[0])) * cells
            x = ((column + 0.5) / n + float(drawn[1])) * cells
            total = 0.0
            for j in (math.floor(y), math.floor(y) + 1):
                for i in (math.floor(x), math.floor(x) + 1):
                    a = float(angle[j % cells, i % cells])
                    dy, dx = y - j, x - i
                    fade = 1.0
                    for d in (abs(dy), abs(dx)):
                        t = 1.0 - d
                        fade *= t**3 * (t * (6.0 * t - 15.0) + 10.0)
                    total += fade * (math.cos(a) * dx + math.sin(a) * dy)
            out[row, column] = 1.6 * total
    return out


def slow_worley(canvas: Canvas, name: str, side: int, jitter: float) -> tuple[Tensor, Tensor]:
    """Distances to all points of the torus, sorted."""
    offsets = 0.5 + jitter * (canvas.draw(f"{name}/{side}x{side}", 2, side * side) - 0.5)
    cell = torch.arange(side * side)
    py, px = (cell // side + offsets[0]) / side, (cell % side + offsets[1]) / side
    y, x = canvas.axes()
    dy = torch.remainder(y[..., None] - py + 0.5, 1.0) - 0.5
    dx = torch.remainder(x[..., None] - px + 0.5, 1.0) - 0.5
    distance = (dy.square() + dx.square()).sqrt() * side
    return distance.topk(2, largest=False).values.unbind(-1)  # type: ignore[return-value]


def test_perlin_is_its_definition() -> None:
    canvas = Canvas(40, seed=3)
    torch.testing.assert_close(perlin(canvas, "a", 5).double(), slow_perlin(canvas, "a", 5), atol=2e-5, rtol=0.0)


def test_worley_finds_the_nearest_two_of_all_points() -> None:
    first, second = slow_worley(CANVAS, "w", 7, 0.6)
    points = worley(CANVAS, "w", 7, 0.6)
    torch.testing.assert_close(points.nearest, first, atol=2e-5, rtol=0.0)
    assert float((points.second - second).abs().gt(1e-4).float().mean()) < 1e-3
    assert int(points.index.max()) < points.count


def test_voronoi_edges_are_the_distance_to_the_nearest_bisector() -> None:
    side, jitter = 6, 0.6
    cells = voronoi(CANVAS, "v", side, jitter)
    offsets = 0.5 + jitter * (CANVAS.draw(f"v/{side}x{side}", 2, side * side) - 0.5)
    cell = torch.arange(side * side)
    points = torch.stack(((cell // side + offsets[0]) / side, (cell % side + offsets[1]) / side), -1) * CANVAS.span_m
    y, x = CANVAS.axes()
    here = torch.stack((y.expand(96, 96), x.expand(96, 96)), -1)[:, :, None] * CANVAS.span_m
    away = points - here
    away = torch.remainder(away + CANVAS.span_m / 2, CANVAS.span_m) - CANVAS.span_m / 2
    near = away.norm(dim=-1).min(-1)
    mine = away.gather(2, near.indices[..., None, None].expand(-1, -1, 1, 2))
    apart = (away - mine).norm(dim=-1)
    border = (away.square().sum(-1) - mine.square().sum(-1)) / (2.0 * apart.clamp(min=1e-9))
    border[apart < 1e-9] = math.inf
    torch.testing.assert_close(cells.edge, border.min(-1).values, atol=2e-5, rtol=0.0)
    assert torch.equal(cells.index, near.indices)


FIELDS: dict[str, Callable[[Canvas], Tensor]] = {
    "perlin": lambda c: perlin(c, "a", 6),
    "fbm": lambda c: fbm(c, "a", 3, 4),
    "ridged": lambda c: fbm(c, "a", (2, 5), 4, 0.5, "ridged"),
    "billow": lambda c: fbm(c, "a", 4, 3, 0.5, "billow"),
    "spectral": lambda c: spectral(c, "a", 2, 12, 1.5),
    "warp": lambda c: warp(c, fbm(c, "a", 3), 0.2 * fbm(c, "b", 2), 0.2 * fbm(c, "d", 2)),
    "curl": lambda c: curl(c, "a", 3)[0],
    "blur": lambda c: blur(c, fbm(c, "a", 8), 0.03),
    "worley": lambda c: worley(c, "a", 6).nearest,
    "voronoi": lambda c: voronoi(c, "a", (3, 7), 0.8, own_shape=True).edge,
    "specks": lambda c: specks(c, "a", 9),
    "cracks": lambda c: cracks(c, "a", 4, 0.02)[0],
    "stains": lambda c: stains(c, "a", 2),
    "fibres": lambda c: fibres(c, "a", 90, 0.2, 0.02),
    "scratches": lambda c: scratches(c, "a", 60, 0.3, 0.02),
    "strewn": lambda c: stamps(c, strew(c, "a", 40, (0.05, 0.1), (0.5, 0.9)), lambda a, b: 1.0 - a * a - b * b).level,
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_wrap_repeat_and_depend_on_the_seed(name: str) -> None:
    make = FIELDS[name]
    field = make(CANVAS)
    assert field.shape == (96, 96) and field.dtype == torch.float32 and bool(torch.isfinite(field).all())
    assert torch.equal(field, make(CANVAS))
    assert not torch.equal(field, make(Canvas(96, seed=8, span_m=0.8)))
    for axis in (0, 1):
        steps = (field.roll(-1, axis) - field).abs().mean(1 - axis)
        assert float(steps[-1]) <= 1.05 * float(steps[:-1].max())


@pytest.mark.parametrize("name", ["perlin", "fbm", "ridged", "spectral", "worley", "voronoi", "stains"])
def test_a_larger_canvas_shows_the_same_field(name: str) -> None:
    """Averages of 2x2 pixels of the double size are near the single size: the draft shows what follows."""
    small = FIELDS[name](Canvas(128, seed=7, span_m=0.8))
    large = FIELDS[name](Canvas(256, seed=7, span_m=0.8))
    halved = torch.nn.functional.avg_pool2d(large[None, None], 2)[0, 0]
    assert float((small - halved).abs().mean()) < 0.1 * float(small.std())


def test_the_lattice_leaves_no_mark_at_the_corner() -> None:
    """Octaves whose lattices coincide would all vanish at the tile's corner."""
    corner = torch.stack([fbm(Canvas(64, seed=s), "a", 4, 4)[0, 0] for s in range(80)])
    middle = torch.stack([fbm(Canvas(64, seed=s), "a", 4, 4)[21, 37] for s in range(80)])
    assert float(corner.std()) > 0.6 * float(middle.std())


def test_noise_keeps_its_stated_range() -> None:
    for seed in range(4):
        field = fbm(Canvas(256, seed=seed), "a", 5, 6)
        assert 0.22 < float(field.std()) < 0.42
        assert float(field.abs().max()) < 1.5
    wave = spectral(Canvas(256), "a", 2, 60)
    assert float(wave.std()) == pytest.approx(1 / 3, rel=1e-3)


def test_octaves_beyond_the_pixels_are_left_out() -> None:
    few, many = (fbm(Canvas(32), "a", 8, octaves) for octaves in (2, 9))
    assert torch.allclose(few, many, atol=1e-6)
    assert bool(torch.isfinite(grain(Canvas(32), "a", 4000)).all())


def test_blur_keeps_the_mean_and_narrows() -> None:
    field = fbm(Canvas(256), "a", 30)
    soft = blur(Canvas(256), field, 0.03)
    assert float(soft.mean()) == pytest.approx(float(field.mean()), abs=1e-4)
    assert float(soft.std()) < 0.3 * float(field.std())


def test_sampling_at_the_pixels_gives_the_pixels() -> None:
    field = fbm(CANVAS, "a", 5)
    y, x = (axis.expand(96, 96) for axis in CANVAS.axes())
    torch.testing.assert_close(sample(field, y + 3.0, x - 2.0), field, atol=2e-4, rtol=0.0)


def test_smoothstep_rises_and_falls() -> None:
    x = torch.linspace(-1.0, 2.0, 50)
    torch.testing.assert_close(smoothstep(x, 0.0, 1.0), 1.0 - smoothstep(x, 1.0, 0.0))
    assert float(smoothstep(x, 0.0, 1.0).min()) == 0.0 and float(smoothstep(x, 0.0, 1.0).max()) == 1.0


def test_stamps_show_the_highest_and_know_their_place() -> None:
    layout = strew(CANVAS, "s", 30, (0.08, 0.15), (0.6, 0.9))
    shape: Callable[[Tensor, Tensor], Tensor] = lambda a, b: 1.0 - a * a - b * b  # noqa: E731
    strewn = stamps(CANVAS, layout, shape, 0.5)
    y, x = CANVAS.axes()
    best = torch.full((96, 96), -1.0)
    owner = torch.full((96, 96), -1)
    for k in range(len(layout)):
        dy = (torch.remainder(y - layout.y[k] + 0.5, 1.0) - 0.5) * CANVAS.span_m
        dx = (torch.remainder(x - layout.x[k] + 0.5, 1.0) - 0.5) * CANVAS.span_m
        cos, sin = layout.angle[k].cos(), layout.angle[k].sin()
        height = shape((dx * cos + dy * sin) / layout.length_m[k], (dy * cos - dx * sin) / layout.width_m[k])
        level = (layout.level[k] + 0.5 * height) / 1.5
        higher = (height > 0.0) & (level > best)
        best, owner = torch.where(higher, level, best), torch.where(higher, k, owner)
    assert float((owner != strewn.index).float().mean()) < 2e-3
    seen = strewn.index >= 0
    inside = shape(strewn.along, strewn.across)
    assert bool((inside[seen] > -1e-3).all())


def test_strokes_run_from_root_to_tip() -> None:
    one = Layout(*(torch.tensor([v]) for v in (0.5, 0.25, 0.0, 0.2, 0.01, 0.5)))
    stroke = strokes(CANVAS, one, 0.0, taper=0.0)
    columns = stroke.covered.sum(0) > 0
    assert bool(columns[26:70].all()) and not bool(columns[:20].any()) and not bool(columns[78:].any())
    along = stroke.along[48][26:70]
    assert bool((along[1:] >= along[:-1]).all())


def test_a_raised_check_stops_the_search_at_once() -> None:
    class Stop(Exception):
        pass

    def check() -> None:
        raise Stop

    with pytest.raises(Stop):
        worley(Canvas(512, check=check), "a", 9)
