"""The test asset: a letter F that cannot be mistaken for its own mirror image, whichever way it is turned.

Its stem is green and runs 1.0 m up, its upper arm is red and runs 0.6 m to the right, a blue arm runs 0.4 m to
the back, out of the scene and towards the viewer. A plate under the middle arm carries a picture of the letter with
three coloured corners and a round bump in the normal map: light from above must brighten the bump's upper half.
`scenecast doctor` sends it, and every client is checked with it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.assets import Image, Material, Mesh, Splats
from engines.colour import as_float, srgb_from_linear
from engines.conventions import Direction
from engines.kinds import ColourSpace, MapName
from engines.spherical_harmonics import DC, evaluate

NAME = "asymmetric_f"


class Arm(NamedTuple):
    """One bar of the letter: its colour, where it points, and how far its end is from the letter's corner."""

    colour: str
    direction: Direction
    length_m: float
    linear: tuple[float, float, float]


ARMS = (
    Arm("red", "right", 0.6, (0.8, 0.02, 0.02)),
    Arm("green", "up", 1.0, (0.02, 0.6, 0.04)),
    Arm("blue", "back", 0.4, (0.02, 0.08, 0.85)),
)
"""Measured from the origin, which is the foot of the stem."""

BUMP_CENTRE_UV = (0.72, 0.3)
BUMP_RADIUS_UV = 0.16
BUMP_HEIGHT_M = 0.04
PLATE_M = (0.2, 0.1, 0.55, 0.45)
"""Left, bottom, right and top edge of the plate, which stands in the plane z = 0 and faces back (+Z)."""

_TOWARDS: dict[Direction, tuple[int, float]] = {"right": (0, 1.0), "up": (1, 1.0), "back": (2, 1.0)}
_CORNERS = (("top left", 0.06, 0.94, 0), ("top right", 0.94, 0.94, 1), ("bottom left", 0.06, 0.06, 2))
_GREY = (0.5, 0.5, 0.5)
_STEM = 0.12
_BOXES = (
    ((0.0, 0.0, -_STEM), (_STEM, 1.0, 0.0), ARMS[1].linear),
    ((_STEM, 0.86, -_STEM), (0.6, 0.98, 0.0), ARMS[0].linear),
    ((_STEM, 0.52, -_STEM), (0.42, 0.64, 0.0), _GREY),
    ((0.02, 0.02, 0.0), (0.10, 0.10, 0.4), ARMS[2].linear),
)
_PLAIN_UV = (0.92, 0.44, 0.96, 0.56)
"""A patch of the picture that is plain white, for everything that is coloured by its vertices."""


def asymmetric_mesh() -> Mesh:
    """The letter as 4 boxes and the plate: normals, uvs, linear vertex colours, and `asymmetric_material`."""
    corners, normals, uvs, colours = [], [], [], []
    for low, high, linear in _BOXES:
        for quad, normal in _box_quads(np.array(low), np.array(high)):
            corners.append(quad)
            normals.append(np.tile(normal, (4, 1)))
            uvs.append(_quad_uvs(_PLAIN_UV))
            colours.append(np.tile(linear, (4, 1)))
    left, bottom, right, top = PLATE_M
    corners.append(np.array([(left, bottom, 0), (right, bottom, 0), (right, top, 0), (left, top, 0)], np.float64))
    normals.append(np.tile((0.0, 0.0, 1.0), (4, 1)))
    uvs.append(_quad_uvs((0, 0, 1, 1)))
    colours.append(np.ones((4, 3)))
    first = np.arange(len(corners), dtype=np.uint32)[:, None, None] * np.uint32(4)
    faces = first + np.array([[0, 1, 2], [0, 2, 3]], np.uint32)
    return Mesh(
        positions=_float32(corners),
        faces=np.ascontiguousarray(faces.reshape(-1, 3), np.uint32),
        normals=_float32(normals),
        uvs=_float32(uvs),
        colours=_float32(colours),
        material=asymmetric_material(),
        name=NAME,
    )


def asymmetric_splats() -> Splats:
    """The same bars as about 1500 elongated Gaussians, each turned a little about its bar, with SH of degree 3.

    Colours are brighter from the right and from above than from the left and below, so a wrongly turned
    harmonic shows.
    """
    places, turns, sizes, dc = [], [], [], []
    for low, high, linear in _BOXES:
        along = int(np.argmax(np.subtract(high, low)))
        step = np.full(3, 0.03)
        step[along] = 0.02
        axes = [np.arange(a + s / 2, b, s) for a, b, s in zip(low, high, step, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        size = np.full(3, 0.009)
        size[along] = 0.016
        size[(along + 1) % 3] = 0.005
        half_angle = np.linspace(0.0, 0.6, len(grid))
        turn = np.zeros((len(grid), 4))
        turn[:, 0], turn[:, 1 + along] = np.cos(half_angle), np.sin(half_angle)
        places.append(grid)
        turns.append(turn)
        sizes.append(np.tile(size, (len(grid), 1)))
        dc.append(np.tile(srgb_from_linear(np.array(linear)), (len(grid), 1)))
    count = sum(len(part) for part in places)
    sh = np.zeros((count, 16, 3), np.float32)
    sh[:, 0] = (np.concatenate(dc) - 0.5) / DC
    sh[:, 1:] = (0.04 / np.arange(1, 16) * np.where(np.arange(15) % 2, 1, -1))[:, None]
    sh[:, (1, 3)] = -0.12  # degree 1 is (-y, z, -x): brighter towards up and right
    return Splats(
        positions=_float32(places),
        rotations=_float32(turns),
        scales=_float32(sizes),
        opacities=np.linspace(0.6, 0.95, count, dtype=np.float32),
        sh=sh,
        name=NAME,
    )


def asymmetric_image(size_px: int = 256) -> Image:
    """The letter in black on white, sRGB uint8 [size, size, 3]: corners top left red, top right green, bottom left
    blue, bottom right white."""
    u, v = _grid(size_px)
    pixels = np.full((size_px, size_px, 3), 235, np.uint8)
    letter = (u > 0.22) & (u < 0.34) & (v > 0.18) & (v < 0.86)
    letter |= (u > 0.22) & (u < 0.70) & (v > 0.74) & (v < 0.86)
    letter |= (u > 0.22) & (u < 0.56) & (v > 0.48) & (v < 0.60)
    pixels[letter] = (30, 30, 34)
    for corner, colour in (((0, 1), (220, 40, 40)), ((1, 1), (40, 180, 60)), ((0, 0), (40, 90, 230))):
        pixels[(np.abs(u - corner[0]) < 0.12) & (np.abs(v - corner[1]) < 0.12)] = colour
    return Image(pixels, ColourSpace.SRGB, NAME)


def asymmetric_material(size_px: int = 256) -> Material:
    """The picture with a round bump at the lower right: height and normal map agree, roughness and metal vary.

    The bump is polished metal, the rest is matt; the blue corner glows a little.
    """
    u, v = _grid(size_px)
    du, dv = (u - BUMP_CENTRE_UV[0]) / BUMP_RADIUS_UV, (v - BUMP_CENTRE_UV[1]) / BUMP_RADIUS_UV
    inside = np.clip(1 - du * du - dv * dv, 0, None)
    height = inside * inside
    tile_m = PLATE_M[2] - PLATE_M[0]
    slope = -4 * inside * (BUMP_HEIGHT_M / 2) / (BUMP_RADIUS_UV * tile_m)
    normal = np.stack([-slope * du, -slope * dv, np.ones_like(du)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    picture = asymmetric_image(size_px)
    glow = np.zeros((size_px, size_px, 3), np.uint8)
    glow[(u < 0.12) & (v < 0.12)] = (20, 40, 110)
    data = {
        MapName.NORMAL: normal * 0.5 + 0.5,
        MapName.HEIGHT: (0.5 + 0.5 * height)[..., None],
        MapName.ROUGHNESS: np.where(inside > 0, 0.25, 0.8)[..., None],
        MapName.METALLIC: np.where(inside > 0, 1.0, 0.0)[..., None],
        MapName.OCCLUSION: (1 - 0.6 * ((du * du + dv * dv > 1) & (du * du + dv * dv < 1.3)))[..., None],
    }
    maps = {MapName.BASE_COLOR: picture, MapName.EMISSION: Image(glow, ColourSpace.SRGB, f"{NAME}_emission")}
    for name, values in data.items():
        maps[name] = Image(np.round(values * 255).astype(np.uint8), ColourSpace.DATA, f"{NAME}_{name}")
    return Material(maps, tile_m=tile_m, height_m=BUMP_HEIGHT_M, tileable=False, name=NAME)


def findings(asset: Mesh | Splats | Material | Image) -> list[str]:
    """What is the wrong way round about an F that came back, one sentence each; empty when all is right.

    The asset must be in the neutral convention again, with its colours (a mesh) and uncropped (an image).
    """
    if isinstance(asset, Image):
        return _picture_findings(asset)
    if isinstance(asset, Material):
        return _picture_findings(asset.maps[MapName.BASE_COLOR]) + _bump_findings(asset.maps[MapName.NORMAL])
    if isinstance(asset, Splats):
        colour = np.clip(asset.sh[:, 0] * DC + 0.5, 0, 1)
        return _arm_findings(asset.positions, colour, srgb=True) + _light_findings(asset)
    colours = np.zeros((len(asset.positions), 3)) if asset.colours is None else asset.colours[:, :3]
    return _arm_findings(asset.positions, colours, srgb=False) + _surface_findings(asset)


def _arm_findings(positions: NDArray[Any], colours: NDArray[Any], *, srgb: bool) -> list[str]:
    found = []
    for arm in ARMS:
        linear = np.array(arm.linear)
        near = np.abs(colours - (srgb_from_linear(linear) if srgb else linear)).max(axis=1) < 0.06
        if not near.any():
            found.append(f"the {arm.colour} arm is missing")
            continue
        axis, sign = _TOWARDS[arm.direction]
        reach = float((positions[near, axis] * sign).max())
        if abs(reach - arm.length_m) > 0.03:
            found.append(f"the {arm.colour} arm reaches {reach:.3f} m {arm.direction}, expected {arm.length_m} m")
    return found


def _surface_findings(mesh: Mesh) -> list[str]:
    found = []
    corners = mesh.positions[mesh.faces.astype(np.int64)]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    letter_sides = np.einsum("fc,fc->f", outward, corners.mean(axis=1))
    if letter_sides.sum() <= 0:
        found.append("the triangles face inwards")
    if mesh.normals is None:
        found.append("the normals are missing")
    elif (np.einsum("fc,fvc->fv", outward, mesh.normals[mesh.faces.astype(np.int64)]) <= 0).any():
        found.append("normals and winding disagree")
    if mesh.uvs is None:
        return [*found, "the uvs are missing"]
    left, bottom, right, top = PLATE_M
    for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)):
        at = np.flatnonzero(np.abs(mesh.uvs - (u, v)).max(axis=1) < 1e-3)
        expected = (left + u * (right - left), bottom + v * (top - bottom), 0)
        if len(at) == 0 or np.abs(mesh.positions[at] - expected).max() > 1e-3:
            found.append(f"uv ({u}, {v}) is not at {expected}")
    return found


def _light_findings(splats: Splats) -> list[str]:
    seen = {}
    for name, direction in (("right", (1, 0, 0)), ("left", (-1, 0, 0)), ("up", (0, 1, 0)), ("down", (0, -1, 0))):
        seen[name] = float(evaluate(splats.sh, np.tile(np.array(direction, np.float64), (len(splats.sh), 1))).mean())
    pairs = (("right", "left"), ("up", "down")) if splats.sh.shape[1] > 1 else ()
    return [f"the cloud is not brighter seen along {a} than along {b}" for a, b in pairs if seen[a] <= seen[b] + 0.05]


def _picture_findings(image: Image) -> list[str]:
    pixels = as_float(image.pixels)
    found = []
    for name, u, v, channel in _CORNERS:
        colour = pixels[int((1 - v) * pixels.shape[0]), int(u * pixels.shape[1]), :3]
        if int(np.argmax(colour)) != channel or colour.max() - np.median(colour) < 0.2:
            found.append(f"the {name} corner is not {ARMS[channel].colour}")
    return found


def _bump_findings(normal: Image) -> list[str]:
    vectors = as_float(normal.pixels)[..., :3] * 2 - 1
    u, v = _grid(vectors.shape[0])
    found = []
    for axis, name, beyond in ((0, "right", u - BUMP_CENTRE_UV[0]), (1, "upper", v - BUMP_CENTRE_UV[1])):
        side = (beyond > 0.03) & (np.hypot(u - BUMP_CENTRE_UV[0], v - BUMP_CENTRE_UV[1]) < BUMP_RADIUS_UV)
        if vectors[side, axis].mean() < 0.05:
            found.append(f"the bump's {name} half does not lean that way")
    return found


def _box_quads(low: NDArray[Any], high: NDArray[Any]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Six quads, counter-clockwise from outside, each with its outward normal."""
    quads = []
    for axis in range(3):
        second, third = (axis + 1) % 3, (axis + 2) % 3
        for side, bound in ((-1.0, low), (1.0, high)):
            quad = np.empty((4, 3))
            quad[:, axis] = bound[axis]
            quad[:, second] = np.array([low, high, high, low])[:, second]
            quad[:, third] = np.array([low, low, high, high])[:, third]
            normal = np.zeros(3)
            normal[axis] = side
            quads.append((quad if side > 0 else quad[::-1], normal))
    return quads


def _quad_uvs(patch: tuple[float, float, float, float]) -> NDArray[np.float64]:
    left, bottom, right, top = patch
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)], np.float64)


def _grid(size_px: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """u and v of every pixel's centre, row 0 at v = 1."""
    centre = (np.arange(size_px) + 0.5) / size_px
    u, v = np.meshgrid(centre, 1 - centre)
    return u, v


def _float32(parts: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.concatenate(parts), np.float32)
