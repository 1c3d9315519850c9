"""Small assets of every kind, by hypothesis, and the comparison that tells two assets apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from engines.assets import (
    Array,
    Asset,
    Clip,
    Field,
    Image,
    Material,
    Mesh,
    Placement,
    ScenePlan,
    Sound,
    Splats,
)
from engines.kinds import ColourSpace, MapName
from engines.parts import parts_from_asset

NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
FINITE = st.floats(-1e6, 1e6, width=32).map(float)


def same(a: Asset, b: Asset) -> None:
    """Fail unless the two are equal in kind, name, values, dtypes and every bit of every array."""
    assert type(a) is type(b)
    assert a.name == b.name
    (meta_a, parts_a), (meta_b, parts_b) = parts_from_asset(a), parts_from_asset(b)
    assert meta_a == meta_b
    assert list(parts_a) == list(parts_b)
    for name, array in parts_a.items():
        assert array.dtype == parts_b[name].dtype
        np.testing.assert_array_equal(array, parts_b[name])


def pixels(seed: int, height: int, width: int, channels: int, dtype: Any) -> Array:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)
    return rng.random((height, width, channels)).astype(dtype)


def image(seed: int = 0, size: int = 8, channels: int = 3, dtype: Any = np.uint8, data: bool = False) -> Image:
    space = ColourSpace.DATA if data else ColourSpace.SRGB
    return Image(pixels(seed, size, size, channels, dtype), space, f"picture {seed}")


def material(size: int = 8, dtype: Any = np.uint8, *, opacity: bool = False, name: str = "Wet bricks") -> Material:
    """All maps; the normal map leans, so that a flipped green channel is seen."""
    maps = {MapName.BASE_COLOR: image(1, size, 3, dtype), MapName.NORMAL: image(2, size, 3, dtype, data=True)}
    for seed, each in enumerate((MapName.HEIGHT, MapName.ROUGHNESS, MapName.METALLIC, MapName.OCCLUSION), 3):
        maps[each] = image(seed, size, 1, dtype, data=True)
    maps[MapName.EMISSION] = image(7, size, 3, dtype)
    if opacity:
        maps[MapName.OPACITY] = image(8, size, 1, dtype, data=True)
    return Material(maps, tile_m=1.5, height_m=0.03, name=name)


@st.composite
def images(draw: st.DrawFn) -> Image:
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.float16, np.float32]))
    height, width, channels = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    array = pixels(draw(st.integers(0, 99)), height, width, channels, dtype)
    return Image(array, draw(st.sampled_from(ColourSpace)), draw(NAMES))


@st.composite
def materials(draw: st.DrawFn) -> Material:
    whole = material(draw(st.integers(1, 4)), draw(st.sampled_from([np.uint8, np.float32])), opacity=True)
    names = draw(st.sets(st.sampled_from(MapName), min_size=1))
    maps = {name: whole.maps[name] for name in MapName if name in names}
    return Material(maps, draw(FINITE), draw(FINITE), draw(st.booleans()), draw(FINITE), draw(NAMES))


@st.composite
def clips(draw: st.DrawFn) -> Clip:
    shape = (*(draw(st.integers(1, 4)) for _ in range(3)), draw(st.sampled_from([3, 4])))
    frames = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape).astype(np.uint8)
    return Clip(frames, draw(st.floats(1, 120)), draw(st.booleans()), draw(NAMES))


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    count = draw(st.integers(0, 6))

    def some(columns: int) -> Any:
        return rng.random((count, columns), np.float32) if draw(st.booleans()) else None

    return Mesh(
        rng.random((count, 3), np.float32),
        rng.integers(0, max(count, 1), (draw(st.integers(0, 4)), 3)).astype(np.uint32),
        some(3),
        some(2),
        some(draw(st.sampled_from([3, 4]))),
        draw(st.none() | materials()),
        draw(NAMES),
    )


@st.composite
def splats(draw: st.DrawFn) -> Splats:
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    count, bands = draw(st.integers(0, 5)), draw(st.sampled_from([1, 4, 9, 16]))
    return Splats(
        rng.random((count, 3), np.float32),
        rng.random((count, 4), np.float32),
        rng.random((count, 3), np.float32),
        rng.random(count, np.float32),
        rng.random((count, bands, 3), np.float32),
        draw(NAMES),
    )


@st.composite
def fields(draw: st.DrawFn) -> Field:
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    count, bands = draw(st.integers(0, 3)), draw(st.sampled_from([1, 4]))
    sh = rng.random((count, 4, 4, 4, bands, 3), np.float32).astype(draw(st.sampled_from(["float16", "float32"])))
    return Field(
        bricks=rng.integers(0, 3, (count, 3), np.int32),
        occupied=rng.integers(0, 2, (count, 4, 4, 4), np.uint8),
        density=rng.random((count, 4, 4, 4), np.float32),
        sh=sh,
        cells=12,
        centre_m=draw(st.tuples(FINITE, FINITE, FINITE)),
        radius_m=draw(FINITE),
        contracted=draw(st.booleans()),
        near_m=draw(FINITE),
        backdrop=draw(st.none() | st.tuples(FINITE, FINITE, FINITE)),
        seen_from_m=draw(st.none() | st.tuples(FINITE, FINITE, FINITE)),
        name=draw(NAMES),
    )


@st.composite
def sounds(draw: st.DrawFn) -> Sound:
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    samples = rng.uniform(-1, 1, (draw(st.integers(0, 9)), draw(st.integers(1, 2)))).astype(np.float32)
    return Sound(samples, draw(st.sampled_from([8000, 44_100, 48_000])), draw(st.booleans()), draw(NAMES))


@st.composite
def plans(draw: st.DrawFn) -> ScenePlan:
    three = st.tuples(FINITE, FINITE, FINITE)
    four = st.tuples(FINITE, FINITE, FINITE, FINITE)
    placements = st.builds(Placement, NAMES, NAMES, three, four, three)
    return ScenePlan(tuple(draw(st.lists(placements, max_size=3))), draw(NAMES), draw(st.dictionaries(NAMES, NAMES)))


def any_asset() -> st.SearchStrategy[Asset]:
    every: list[st.SearchStrategy[Any]] = [
        images(), materials(), clips(), meshes(), splats(), fields(), sounds(), plans()
    ]  # fmt: skip
    return st.one_of(every)
