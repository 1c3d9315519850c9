"""What the artist sees, in another material: procedural textures on every surface by its place in the world, lit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import Array, FloatArray
from generators.events import GeneratorError, Request
from generators.live import lighting, surfacing
from generators.live.frames import Answer, Camera, Frame, LiveContext, Picture
from generators.live.specs import COMPILING, RetextureParams
from generators.radiance.rasterizer.kernels import compiled_before

CURVE = 4096


@dataclass(frozen=True, eq=False)
class Texture:
    """A material's maps with all their halvings, packed; `tile_m` metres wide."""

    texels: NDArray[np.uint8]  # [all levels, CHANNELS]
    tile_m: float


def start(request: Request, context: LiveContext) -> Answer:
    """Make the first material and one blank picture, so that everything is compiled before the first frame."""
    if not compiled_before(lighting.shade):
        context.tell(COMPILING)
    dresser = Dresser(request.seed, context.device)
    params = request.params
    if not isinstance(params, RetextureParams):
        raise GeneratorError(f"expected RetextureParams, got {type(params).__name__}")
    height, width = context.height_px, context.width_px
    depth = np.full((height, width), 2.0, np.float32)
    depth[: height // 2] = np.inf
    camera = Camera(np.eye(4), width, height, width, width, width / 2, height / 2, 0.1, 100.0, False)
    dresser.dress(depth, None, camera, params)

    def answer(frame: Frame) -> Iterator[Picture]:
        if frame.depth is None or frame.camera is None:
            raise GeneratorError("re-texturing needs depth and the camera")
        yield Picture(dresser.dress(frame.depth, frame.normal, frame.camera, frame.params))

    return answer


class Dresser:
    """Keeps the materials that were made last; equal frames and parameters give equal pictures."""

    def __init__(self, seed: int, device: str = "cpu") -> None:
        self._seed, self._device = seed, device
        self._textures: dict[tuple[str, int, float | None], Texture] = {}
        self._paired: tuple[Texture, Texture, NDArray[np.uint8]] | None = None
        self._curve = tone_curve()

    def dress(
        self, depth: FloatArray, normal: FloatArray | None, camera: Camera, params: RetextureParams
    ) -> NDArray[np.uint8]:
        """uint8 sRGB [H, W, 3]. Raises `GeneratorError` for words that name no material."""
        side = int(params.texture_px)
        walls = self._texture(params.material, side, params.tile_m)
        above = self._texture(params.above, side, None) if params.above.strip() else walls
        texels = self._pair(walls, above)
        height, width = depth.shape
        view = _view(camera)
        if normal is None:
            normal = np.empty((height, width, 3), np.float32)
            surfacing.normals_of(depth, view, normal)
        sun = sun_direction(params.sun_turn_deg, params.sun_height_deg)
        inside = (sun @ camera.world_from_camera[:3, :3]).astype(np.float32)
        half = np.empty((-(-height // 2), -(-width // 2), 2), np.float32)
        surfacing.openness(depth, normal, view, inside, np.float32(params.shadow_m), half)
        look = np.array(
            [2.0**params.exposure, params.haze * 0.08, params.relief, float(above is not walls), math.log2(side)],
            np.float32,
        )
        out = np.empty((height, width, 3), np.uint8)
        lighting.shade(
            depth, normal, half, texels, side, np.array([walls.tile_m, above.tile_m], np.float32), view,
            sun.astype(np.float32), daylight(params.sun_height_deg, params.sun, params.sky), look, self._curve, out,
        )  # fmt: skip
        return out

    def _pair(self, walls: Texture, above: Texture) -> NDArray[np.uint8]:
        """The texels of both, one behind the other; kept while they stay the same."""
        if self._paired is None or self._paired[0] is not walls or self._paired[1] is not above:
            self._paired = (walls, above, np.stack([walls.texels, above.texels]))
        return self._paired[2]

    def _texture(self, words: str, side: int, tile_m: float | None) -> Texture:
        key = (words.strip(), side, tile_m)
        if key not in self._textures:
            if len(self._textures) >= 8:
                self._textures.pop(next(iter(self._textures)))
            self._textures[key] = make_texture(words, side, tile_m, self._seed, self._device)
        return self._textures[key]


def make_texture(words: str, side: int, tile_m: float | None, seed: int, device: str) -> Texture:
    """A material from words, as in `material.procedural`. Raises `GeneratorError` for a colour that is not known."""
    import torch

    from generators.procedural.material import build, plan
    from generators.procedural.material_spec import ProceduralMaterialParams
    from generators.procedural.surface import normals, occlusion

    settled = plan(ProceduralMaterialParams(prompt=words or "plaster"))
    with torch.inference_mode():
        surface = build(settled, side, seed, device, lambda: None)
        metallic = surface.metallic if surface.metallic is not None else torch.zeros_like(surface.height)
        slopes = normals(surface)[:2] * 0.5 + 0.5
        planes = [surface.colour, surface.roughness[None], metallic[None], slopes, occlusion(surface)[None]]
        level: Array = torch.cat(planes).clamp(0, 1).permute(1, 2, 0).float().cpu().numpy()
    packed = []
    while True:
        codes = level.copy()
        codes[..., :3] = np.sqrt(codes[..., :3])
        packed.append(np.clip(codes * 255 + 0.5, 0, 255).astype(np.uint8).reshape(-1, lighting.CHANNELS))
        if level.shape[0] == 1:
            break
        level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) * np.float32(0.25)
    return Texture(np.concatenate(packed), tile_m or settled.tile_m)


def sun_direction(turn_deg: float, height_deg: float) -> NDArray[np.float64]:
    """Unit vector towards the sun; at a turn of 0 it stands over +Z, in front of what faces the artist."""
    turn, rise = math.radians(turn_deg), math.radians(height_deg)
    return np.array([math.sin(turn) * math.cos(rise), math.sin(rise), math.cos(turn) * math.cos(rise)])


def daylight(height_deg: float, sun: float, sky: float) -> FloatArray:
    """Radiance of zenith, horizon and ground, and the sun's irradiance, float32 [12].

    Warmer and dimmer as the sun sinks; a fit by eye, not a model of the atmosphere.
    """
    high = math.sin(math.radians(max(height_deg, 0.0)))
    low = (1 - high) ** 3
    strength = min(1.0, 0.25 + 1.4 * high)
    zenith = np.array([0.20, 0.38, 0.78]) * (0.45 + 0.55 * strength)
    horizon = np.array([0.72, 0.80, 0.90]) * (1 - low) + np.array([1.15, 0.66, 0.38]) * low
    ground = np.array([0.24, 0.21, 0.18]) * (0.35 + 0.65 * strength)
    colour = np.array([1.0, 0.95, 0.87]) * (1 - low) + np.array([1.0, 0.55, 0.24]) * low
    return np.concatenate([zenith * sky, horizon * sky, ground * sky, colour * 4.2 * strength * sun]).astype(np.float32)


def tone_curve() -> NDArray[np.uint8]:
    """uint8 [CURVE] sRGB of linear light 0..16, indexed by its square root: Narkowicz' fit of the ACES film curve."""
    light = (np.arange(CURVE) / (CURVE - 1)) ** 2 * 16 * 0.62
    film = np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0, 1)
    codes = np.where(film <= 0.0031308, film * 12.92, 1.055 * np.maximum(film, 1e-9) ** (1 / 2.4) - 0.055)
    return np.clip(codes * 255 + 0.5, 0, 255).astype(np.uint8)


def _view(camera: Camera) -> FloatArray:
    turn, place = camera.world_from_camera[:3, :3], camera.world_from_camera[:3, 3]
    numbers = [*turn.ravel(), *place, camera.focal_x_px, camera.focal_y_px, camera.centre_x_px, camera.centre_y_px]
    return np.array([*numbers, 1.0 if camera.orthographic else 0.0], np.float32)
