"""Re-texturing: normals from depth, materials that stay in place, light against a slow twin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from generators.events import GeneratorError, Request
from generators.live import lighting, retexture, surfacing
from generators.live.frames import Camera, Frame
from generators.live.retexture import Dresser, Texture, daylight, make_texture, start, sun_direction, tone_curve
from generators.live.specs import RetextureParams
from generators.live.warm import retexture as warm
from tests.generators.live.scenes import camera, rays, room

PARAMS = RetextureParams(material="red bricks", texture_px=256)


@pytest.fixture(scope="module")
def dresser() -> Dresser:
    return Dresser(1)


@pytest.mark.parametrize("ortho", [False, True])
def test_normals_from_depth_are_those_of_the_room(ortho: bool) -> None:
    view = camera(ortho=ortho)
    depth, normal = room(view)
    found = np.empty_like(normal)
    surfacing.normals_of(depth, retexture._view(view), found)
    there = np.isfinite(depth)
    alike = (found * normal).sum(-1)[there]
    assert np.median(alike) > 0.999 and (alike > 0.95).mean() > 0.97
    assert (found[~there] == 0).all()
    assert np.allclose(np.linalg.norm(found[there], axis=-1), 1, atol=1e-4)


@pytest.mark.parametrize("ortho", [False, True])
def test_equal_frames_give_equal_pictures(dresser: Dresser, ortho: bool) -> None:
    view = camera(ortho=ortho)
    depth, normal = room(view)
    one = dresser.dress(depth, normal, view, PARAMS)
    assert one.shape == (72, 96, 3) and one.std() > 10
    assert np.array_equal(dresser.dress(depth.copy(), normal, view, PARAMS), one)
    own = dresser.dress(depth, None, view, PARAMS)
    assert np.abs(own.astype(int) - one)[4:-4, 4:-4].mean() < 6  # normals given and found give about the same


def test_the_material_stays_on_its_surface_when_the_camera_moves(dresser: Dresser) -> None:
    """Points of the wall, looked up in both pictures: the same bricks in the same places."""
    params = RetextureParams(material="red bricks", texture_px=256, tile_m=2.0, sun=0.0, relief=0.0, shadow_m=0.01)
    first, second = camera(288, 216), camera(288, 216, eye=(2.4, 1.9, 4.6))
    y, x = np.meshgrid(np.linspace(1.3, 2.2, 40), np.linspace(-2.0, 0.5, 60), indexing="ij")
    points = np.stack([x, y, np.full_like(x, -2.5)], -1).reshape(-1, 3)
    seen = []
    for view in (first, second):
        depth, normal = room(view)
        picture = dresser.dress(depth, normal, view, params).astype(float)
        inside = (points - view.world_from_camera[:3, 3]) @ view.world_from_camera[:3, :3]
        px = view.centre_x_px - inside[:, 0] / inside[:, 2] * view.focal_x_px
        py = view.centre_y_px + inside[:, 1] / inside[:, 2] * view.focal_y_px
        seen.append(picture[py.astype(int), px.astype(int)])
    one, other = (values - values.mean(0) for values in seen)
    correlation = (one * other).sum() / math.sqrt((one * one).sum() * (other * other).sum())
    assert correlation > 0.8


def flat(albedo: tuple[float, float, float], rough: float, metal: float, side: int = 256) -> Texture:
    texel = np.array([*(math.sqrt(value) for value in albedo), rough, metal, 0.5, 0.5, 1.0])
    count = sum((side >> level) ** 2 for level in range(side.bit_length()))
    return Texture(np.tile(np.round(texel * 255).astype(np.uint8), (count, 1)), 1.0)


def dot(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    product: NDArray[Any] = (a * b).sum(-1)[..., None]
    return product


def slow_light(
    normal: NDArray[Any], view_to: NDArray[Any], texel: NDArray[Any], sun: NDArray[Any], light: NDArray[Any], seen: Any
) -> NDArray[Any]:
    """Linear radiance of surfaces of one material, the formulas written down plainly in float64."""
    base, rough, metal = texel[:3] ** 2, max(texel[3], 0.05), texel[4]
    zenith, horizon, ground, sunlight = light[:3], light[3:6], light[6:9], light[9:12]
    facing = np.maximum(dot(normal, view_to), 0.02)
    falling = np.maximum(dot(normal, np.broadcast_to(sun, normal.shape)), 0)
    half = sun + view_to
    half = half / np.linalg.norm(half, axis=-1, keepdims=True)
    a, a2 = rough**2, rough**4
    d = a2 / (math.pi * (np.maximum(dot(normal, half), 0) ** 2 * (a2 - 1) + 1) ** 2)
    smith = 0.25 / ((facing * (1 - a / 2) + a / 2) * (falling * (1 - a / 2) + a / 2))
    gloss = np.minimum(d * smith, 30)
    f0 = 0.04 + (base - 0.04) * metal
    fresnel = f0 + (1 - f0) * (1 - np.maximum(dot(view_to, half), 0)) ** 5
    diffuse = base * (1 - metal)
    direct = sunlight * falling * seen * (diffuse * (1 - fresnel) / math.pi + fresnel * gloss)
    dome = ground + (0.55 * zenith + 0.45 * horizon - ground) * (0.5 + 0.5 * normal[..., 1:2])
    mirror = -view_to + 2 * facing * normal
    up = mirror[..., 1:2] * (1 - rough) + normal[..., 1:2] * rough * 0.6
    glow = np.maximum(dot(mirror, np.broadcast_to(sun, normal.shape)) * (1 - rough), 0) ** 16
    sky = np.where(
        up >= 0, zenith + (horizon - zenith) * (1 - np.clip(up, 0, 1)) ** 4,
        horizon + (ground - horizon) * np.minimum(-up * 8, 1),
    ) + sunlight * glow * 0.06  # fmt: skip
    fit = np.minimum((1 - rough) ** 2, 2 ** (-9.28 * facing)) * (1 - rough) + 0.0425 - 0.0275 * rough
    share = f0 * (-1.04 * fit + 1.04 - 0.572 * rough) + 1.04 * fit + 0.022 * rough - 0.04
    result: NDArray[Any] = diffuse * dome + sky * np.maximum(share, 0) + direct
    return result


@pytest.mark.parametrize(("rough", "metal"), [(0.9, 0.0), (0.35, 0.0), (0.3, 1.0)])
def test_light_is_that_of_a_slow_twin(monkeypatch: pytest.MonkeyPatch, rough: float, metal: float) -> None:
    texture = flat((0.6, 0.3, 0.15), rough, metal)
    monkeypatch.setattr(retexture, "make_texture", lambda *_: texture)
    view = camera()
    depth, normal = room(view)
    params = RetextureParams(texture_px=256, shadow_m=0.001)
    picture = Dresser(0).dress(depth, normal, view, params)
    _, directions = rays(view)
    view_to = -directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    sun = sun_direction(params.sun_turn_deg, params.sun_height_deg)
    light = daylight(params.sun_height_deg, 1.0, 1.0).astype(np.float64)
    slow = slow_light(normal.astype(np.float64), view_to, texture.texels[0] / 255, sun, light, 1.0)
    codes = tone_curve()[np.minimum(4095, (np.sqrt(slow / 16) * 4095).astype(int))]
    there = np.isfinite(depth)
    inner = there.copy()
    inner[1:-1, 1:-1] &= there[:-2, 1:-1] & there[2:, 1:-1] & there[1:-1, :-2] & there[1:-1, 2:]
    difference = np.abs(picture.astype(int) - codes)[inner]
    assert np.median(difference) <= 1 and (difference <= 4).mean() > 0.93  # the rest is contact shadow


def test_sky_and_haze(dresser: Dresser) -> None:
    view = camera(eye=(0.0, 1.0, 8.0))
    empty = np.full((72, 96), np.inf, np.float32)
    picture = dresser.dress(empty, None, view, PARAMS).astype(int)
    assert picture[2, 48, 2] > picture[2, 48, 0]  # blue above
    depth, normal = room(view)
    clear = dresser.dress(depth, normal, view, PARAMS).astype(int)
    hazy = dresser.dress(depth, normal, view, RetextureParams(material="red bricks", texture_px=256, haze=1.0)).astype(
        int
    )
    wall = np.isfinite(depth) & (normal[..., 2] > 0.9)
    assert hazy[wall].std() < clear[wall].std()
    dark = dresser.dress(depth, normal, view, RetextureParams(material="red bricks", texture_px=256, exposure=-3.0))
    assert dark.mean() < clear.mean() / 2


def test_what_lies_on_top_is_of_its_own_kind(dresser: Dresser) -> None:
    view = camera()
    depth, normal = room(view)
    bare = dresser.dress(depth, normal, view, PARAMS).astype(int)
    params = RetextureParams(material="red bricks", above="grass", texture_px=256)
    grown = dresser.dress(depth, normal, view, params).astype(int)
    up, wall = normal[..., 1] > 0.9, normal[..., 2] > 0.9999
    assert grown[up][:, 1].mean() > grown[up][:, 0].mean() > 0  # green
    assert np.array_equal(grown[wall], bare[wall])


def test_the_sun_casts_contact_shadows(dresser: Dresser) -> None:
    view = camera(192, 144)
    depth, normal = room(view)
    params = RetextureParams(material="white plaster", texture_px=256, sun_turn_deg=-60.0, sun_height_deg=25.0)
    lit = dresser.dress(depth, normal, view, params).astype(int).sum(-1)
    flatter = RetextureParams(**{**_plain(params), "shadow_m": 0.0001})
    without = dresser.dress(depth, normal, view, flatter).astype(int).sum(-1)
    floor = normal[..., 1] > 0.99
    shadowed = floor & (without - lit > 60)
    assert 0.005 < shadowed[floor].mean() < 0.5


def _plain(params: RetextureParams) -> dict[str, Any]:
    return {name: getattr(params, name) for name in params.__struct_fields__}


def test_a_texture_has_all_its_halvings() -> None:
    made = make_texture("gold", 256, None, 1, "cpu")
    assert made.texels.shape == (sum((256 >> level) ** 2 for level in range(9)), lighting.CHANNELS)
    whole, last = made.texels[: 256 * 256].astype(float), made.texels[-1].astype(float)
    assert abs(whole[:, 3].mean() - last[3]) < 2 and last[4] > 200 and made.tile_m > 0


def test_noon_is_brighter_and_whiter_than_evening() -> None:
    noon, evening = daylight(70.0, 1.0, 1.0), daylight(4.0, 1.0, 1.0)
    assert noon[9] > evening[9] and noon[11] / noon[9] > evening[11] / evening[9]
    assert np.linalg.norm(sun_direction(33.0, 12.0)) == pytest.approx(1.0)


def test_a_session_answers_frames_and_says_what_is_missing() -> None:
    class Context:
        device, width_px, height_px = "cpu", 48, 32

        def newer(self) -> bool:
            return False

        def tell(self, text: str) -> None:
            assert "compiling" in text

    answer = start(Request(PARAMS, 1), Context())  # type: ignore[arg-type]
    view = camera()
    depth, _ = room(view)
    (made,) = answer(Frame(1, 96, 72, PARAMS, view, None, depth, None))
    assert made.pixels.shape == (72, 96, 3)
    with pytest.raises(GeneratorError, match="depth and the camera"):
        list(answer(Frame(2, 96, 72, PARAMS, None, None, depth, None)))
    unknown = RetextureParams(material="bricks", texture_px=256)
    assert list(answer(Frame(3, 96, 72, unknown, view, None, depth, None)))
    warm()


def test_a_resized_camera_sees_the_same() -> None:
    view = camera()
    half: Camera = view.resized(0.5)
    assert (half.width_px, half.height_px, half.focal_x_px) == (48, 36, 36.0)
    assert not half.same_view(view) and view.same_view(camera()) and not view.same_view(None)
