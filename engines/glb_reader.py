"""Reading the mesh of a GLB: the scene's nodes, their transforms, primitives and the one material."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import Image, Material, Mesh
from engines.errors import DamagedFile, EnginesError, TooLarge
from engines.glb_container import Container
from engines.kinds import ColourSpace, MapName
from engines.raster import read_picture
from engines.transforms import flip_v, rotation_matrices

_MOST_NODES = 100_000
_CLAMP = 33071


@dataclass
class _Part:
    """One primitive in world space; `material` is its index or None."""

    positions: NDArray[np.float32]
    faces: NDArray[np.uint32]
    normals: NDArray[np.float32] | None
    uvs: NDArray[np.float32] | None
    colours: NDArray[np.float32] | None
    material: int | None


def read_mesh(container: Container, path: Path) -> Mesh:
    """See `engines.formats.glb.decode`."""
    try:
        # Overflow in a hostile transform ends as infinity, and that is refused below.
        with np.errstate(all="ignore"):
            parts = [part for node, world in placed_nodes(container) for part in _parts(container, node, world)]
            return _merged(container, parts, path.stem)
    except EnginesError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError, struct.error) as error:
        raise DamagedFile(f"{path.name} is not the glTF it claims to be: {error!r}") from error


def placed_nodes(container: Container) -> Iterator[tuple[dict[str, Any], NDArray[np.float64]]]:
    """Every node of the file's scene with its 4×4 matrix to the world. Raises `DamagedFile`."""
    scenes = container.items("scenes")
    if scenes:
        roots = container.item("scenes", container.document.get("scene", 0)).get("nodes", [])
    else:
        children = {child for node in container.items("nodes") for child in node.get("children", ())}
        roots = [index for index in range(len(container.items("nodes"))) if index not in children]
    waiting = [(index, np.eye(4)) for index in reversed(roots)]
    seen: set[int] = set()
    while waiting:
        index, above = waiting.pop()
        node = container.item("nodes", index)
        if index in seen or len(seen) > _MOST_NODES:
            raise DamagedFile(f"node {index} stands in the scene twice, or there are absurdly many nodes")
        seen.add(index)
        world = above @ _local(node)
        waiting += [(child, world) for child in reversed(node.get("children", []))]
        yield node, world


def _local(node: dict[str, Any]) -> NDArray[np.float64]:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    local = np.eye(4)
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    turn = rotation_matrices(np.array([w, x, y, z], np.float64)) if (x, y, z) != (0, 0, 0) else np.eye(3)
    local[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), np.float64)
    local[:3, 3] = node.get("translation", (0, 0, 0))
    return local


def _parts(container: Container, node: dict[str, Any], world: NDArray[np.float64]) -> Iterator[_Part]:
    if "mesh" not in node:
        return
    for primitive in container.item("meshes", node["mesh"])["primitives"]:
        mode = primitive.get("mode", 4)
        if mode in (1, 2, 3):
            continue  # lines
        named = primitive["attributes"]
        positions = container.accessor(named["POSITION"], 3).astype(np.float64)
        faces = _faces(container, primitive, mode, len(positions))
        linear = world[:3, :3]
        mirrored = np.linalg.det(linear) < 0
        normals = None
        if "NORMAL" in named:
            cofactors = np.stack([np.cross(linear[(i + 1) % 3], linear[(i + 2) % 3]) for i in range(3)])
            turned = (
                container.accessor(named["NORMAL"], 3).astype(np.float64) @ (-cofactors if mirrored else cofactors).T
            )
            length = np.linalg.norm(turned, axis=1, keepdims=True)
            normals = np.where(length > 0, turned / np.where(length > 0, length, 1), [0.0, 0.0, 1.0]).astype(np.float32)
        colours = None
        if "COLOR_0" in named:
            width = 4 if container.item("accessors", named["COLOR_0"])["type"] == "VEC4" else 3
            colours = container.accessor(named["COLOR_0"], width).astype(np.float32)
        uvs = flip_v(container.accessor(named["TEXCOORD_0"], 2).astype(np.float32)) if "TEXCOORD_0" in named else None
        part = _Part(
            positions=(positions @ linear.T + world[:3, 3]).astype(np.float32),
            faces=np.ascontiguousarray(faces[:, [0, 2, 1]] if mirrored else faces),
            normals=normals,
            uvs=uvs,
            colours=colours,
            material=primitive.get("material"),
        )
        _check(part)
        yield part


def _check(part: _Part) -> None:
    for array in (part.positions, part.normals, part.uvs, part.colours):
        if array is not None and (len(array) != len(part.positions) or not np.isfinite(array).all()):
            raise DamagedFile("an attribute has another length than the positions, or values that are not finite")


def _faces(container: Container, primitive: dict[str, Any], mode: int, vertices: int) -> NDArray[np.uint32]:
    if "indices" in primitive:
        order = container.accessor(primitive["indices"], 1)[:, 0].astype(np.int64)
    else:
        order = np.arange(vertices)
    if len(order) and not 0 <= int(order.min()) <= int(order.max()) < vertices:
        raise DamagedFile(f"an index points beyond the {vertices} vertices")
    if mode == 4:
        triangles = order[: len(order) // 3 * 3].reshape(-1, 3)
    elif mode == 5:  # strip: every other triangle turned back
        triangles = np.stack([order[:-2], order[1:-1], order[2:]], axis=1)
        triangles[1::2] = triangles[1::2, [1, 0, 2]]
    elif mode == 6:  # fan
        triangles = np.stack([np.full(max(len(order) - 2, 0), order[0]), order[1:-1], order[2:]], axis=1)
    elif mode == 0:
        triangles = np.zeros((0, 3), np.int64)
    else:
        raise DamagedFile(f"a primitive of mode {mode!r}")
    return triangles.astype(np.uint32)


def _merged(container: Container, parts: list[_Part], name: str) -> Mesh:
    if not parts:
        raise DamagedFile("the file's scene holds no triangles and no points")
    total = sum(len(part.positions) for part in parts)
    if max(total, sum(len(part.faces) for part in parts)) > container.limits.max_elements:
        raise TooLarge(f"the scene has {total} vertices, more than the limit of {container.limits.max_elements}")
    first = np.cumsum([0, *(len(part.positions) for part in parts[:-1])])
    only = {part.material for part in parts}
    material = _material(container, parts[0].material) if len(only) == 1 and None not in only else None
    colours = [_coloured(container, part) for part in parts]
    width = max((colour.shape[1] for colour in colours if colour is not None), default=0)
    meshes = [part for part in container.items("meshes") if part.get("name")]
    return Mesh(
        positions=np.concatenate([part.positions for part in parts]),
        faces=np.concatenate([part.faces + np.uint32(at) for part, at in zip(parts, first, strict=True)]),
        normals=_all_or_none([part.normals for part in parts]),
        uvs=_all_or_none([part.uvs for part in parts]),
        colours=np.concatenate([_wide(c, width, p) for c, p in zip(colours, parts, strict=True)]) if width else None,
        material=material,
        name=str(meshes[0]["name"]) if len(meshes) == 1 else name,
    )


def _all_or_none(arrays: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    kept = [array for array in arrays if array is not None]
    return np.concatenate(kept) if len(kept) == len(arrays) else None


def _coloured(container: Container, part: _Part) -> NDArray[np.float32] | None:
    """Vertex colours times the material's base colour factor; None where both say white."""
    factor = [1.0, 1.0, 1.0, 1.0]
    if part.material is not None:
        surface = container.item("materials", part.material).get("pbrMetallicRoughness", {})
        factor = [float(value) for value in surface.get("baseColorFactor", factor)]
    if len(factor) != 4 or not np.isfinite(factor).all():
        raise DamagedFile(f"{factor} is no base colour factor")
    if factor == [1.0, 1.0, 1.0, 1.0]:
        return part.colours
    base = np.ones((len(part.positions), 3), np.float32) if part.colours is None else part.colours
    width = 4 if factor[3] != 1 or base.shape[1] == 4 else 3
    return _wide(base, width, part) * np.array(factor[:width], np.float32)


def _wide(colours: NDArray[np.float32] | None, width: int, part: _Part) -> NDArray[np.float32]:
    result = np.ones((len(part.positions), width), np.float32)
    if colours is not None:
        result[:, : colours.shape[1]] = colours
    return result


def _material(container: Container, index: Any) -> Material | None:
    entry = container.item("materials", index)
    surface = entry.get("pbrMetallicRoughness", {})
    pictures: dict[MapName, NDArray[Any]] = {}
    wraps = set()

    def take(info: dict[str, Any] | None, *wanted: tuple[MapName, slice]) -> None:
        if info is None:
            return
        texture = container.item("textures", info["index"])
        pixels = _picture(container, texture["source"])
        wraps.add(container.item("samplers", texture["sampler"]).get("wrapS", 10497) if "sampler" in texture else 10497)
        for name, channels in wanted:
            pictures[name] = pixels[..., channels]

    take(surface.get("baseColorTexture"), (MapName.BASE_COLOR, slice(0, 3)))
    if MapName.BASE_COLOR in pictures and entry.get("alphaMode", "OPAQUE") != "OPAQUE":
        take(surface["baseColorTexture"], (MapName.OPACITY, slice(3, 4)))
    take(surface.get("metallicRoughnessTexture"), (MapName.ROUGHNESS, slice(1, 2)), (MapName.METALLIC, slice(2, 3)))
    take(entry.get("occlusionTexture"), (MapName.OCCLUSION, slice(0, 1)))
    take(entry.get("normalTexture"), (MapName.NORMAL, slice(0, 3)))
    take(entry.get("emissiveTexture"), (MapName.EMISSION, slice(0, 3)))
    if not pictures:
        return None
    height, width = (max(each.shape[axis] for each in pictures.values()) for axis in (0, 1))
    colour = (MapName.BASE_COLOR, MapName.EMISSION)
    maps = {
        name: Image(_sized(pixels, height, width), ColourSpace.SRGB if name in colour else ColourSpace.DATA, name.value)
        for name, pixels in pictures.items()
    }
    own = entry.get("extras", {}).get("scenecast", {})
    return Material(
        maps,
        tile_m=_within(own.get("tile_m", 1.0)),
        height_m=_within(own.get("height_m", 0.02)),
        tileable=_CLAMP not in wraps,
        ior=_within(entry.get("extensions", {}).get("KHR_materials_ior", {}).get("ior", 1.5)),
        name=str(entry.get("name", "")),
    )


def _within(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise DamagedFile(f"{value!r} is no length and no index of refraction")
    return float(value)


def _picture(container: Container, index: Any) -> NDArray[Any]:
    """uint8 [H, W, 4]."""
    entry = container.item("images", index)
    if "bufferView" not in entry:
        raise DamagedFile("an image outside the file is never read", remedy="export as one .glb file")
    data = container.view(entry["bufferView"])
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "texture"
        file.write_bytes(data)
        pixels = read_picture(file, container.limits, "PNG" if data.startswith(b"\x89PNG") else "JPEG")
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    channels = pixels.shape[2]
    colour = pixels[..., :3] if channels >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    alpha = pixels[..., -1:] if channels in (2, 4) else np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([colour, alpha], axis=2)


def _sized(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """All maps of a material share one size; smaller ones are repeated up by nearest neighbour."""
    rows = np.arange(height) * pixels.shape[0] // height
    columns = np.arange(width) * pixels.shape[1] // width
    return np.ascontiguousarray(pixels[rows][:, columns])
