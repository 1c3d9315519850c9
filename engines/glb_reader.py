"""Reading the mesh of a GLB: the scene's nodes, their transforms, primitives and the one material."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import Mesh
from engines.errors import DamagedFile, EnginesError, TooLarge
from engines.glb_container import Container
from engines.glb_material import base_colour_factor, placing_in, read_material
from engines.transforms import flip_v, rotation_matrices

_MOST_NODES = _MOST_SHOWN = 100_000


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
            return _merged(container, _gathered(container), path.stem)
    except EnginesError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError, struct.error) as error:
        raise DamagedFile(f"{path.name} is not the glTF it claims to be: {error!r}") from error


def _gathered(container: Container) -> list[_Part]:
    """All that the scene shows. A few bytes may be shown often, so what they come to is watched on the way."""
    most = container.limits.max_elements
    parts: list[_Part] = []
    vertices = triangles = 0
    for primitive, world in shown_primitives(container):
        mode = primitive.get("mode", 4)
        if mode in (1, 2, 3):
            continue  # lines
        part = _part(container, primitive, mode, world)
        vertices, triangles = vertices + len(part.positions), triangles + len(part.faces)
        if max(vertices, triangles) > most:
            raise TooLarge(f"the scene has {vertices} vertices and {triangles} triangles or more, the limit is {most}")
        parts.append(part)
    return parts


def shown_primitives(container: Container) -> Iterator[tuple[dict[str, Any], NDArray[np.float64]]]:
    """Every primitive of the scene, once for each node that shows it, with that node's 4×4 matrix to the world.

    Raises `DamagedFile`, and `TooLarge` for absurdly many.
    """
    count = 0
    for node, world in _placed_nodes(container):
        if "mesh" not in node:
            continue
        for primitive in container.item("meshes", node["mesh"])["primitives"]:
            count += 1
            if count > _MOST_SHOWN:
                raise TooLarge(f"the scene shows more than {_MOST_SHOWN} primitives")
            yield primitive, world


def _placed_nodes(container: Container) -> Iterator[tuple[dict[str, Any], NDArray[np.float64]]]:
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


def _part(container: Container, primitive: dict[str, Any], mode: Any, world: NDArray[np.float64]) -> _Part:
    named = primitive["attributes"]
    positions = container.accessor(named["POSITION"], 3).astype(np.float64)
    faces = _faces(container, primitive, mode, len(positions))
    linear = world[:3, :3]
    mirrored = bool(np.linalg.det(linear) < 0)
    colours = uvs = None
    if "COLOR_0" in named:
        width = 4 if container.item("accessors", named["COLOR_0"])["type"] == "VEC4" else 3
        colours = container.accessor(named["COLOR_0"], width).astype(np.float32)
    place = placing_in(container, primitive.get("material"))
    if f"TEXCOORD_{place.uv_set}" in named:
        uvs = flip_v(place.of(container.accessor(named[f"TEXCOORD_{place.uv_set}"], 2).astype(np.float32)))
    part = _Part(
        positions=(positions @ linear.T + world[:3, 3]).astype(np.float32),
        faces=np.ascontiguousarray(faces[:, [0, 2, 1]] if mirrored else faces),
        normals=_turned(container.accessor(named["NORMAL"], 3), linear, mirrored) if "NORMAL" in named else None,
        uvs=uvs,
        colours=colours,
        material=primitive.get("material"),
    )
    _check(part)
    return part


def _turned(normals: NDArray[Any], linear: NDArray[np.float64], mirrored: bool) -> NDArray[np.float32]:
    """Unit normals under a linear map: its cofactors are its inverse transpose up to a factor, for flat maps too."""
    cofactors = np.stack([np.cross(linear[(i + 1) % 3], linear[(i + 2) % 3]) for i in range(3)])
    turned = normals.astype(np.float64) @ (-cofactors if mirrored else cofactors).T
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    return np.where(length > 0, turned / np.where(length > 0, length, 1), [0.0, 0.0, 1.0]).astype(np.float32)


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
    first = np.cumsum([0, *(len(part.positions) for part in parts[:-1])])
    only = {part.material for part in parts}
    which = parts[0].material
    material = read_material(container, which) if len(only) == 1 and which is not None else None
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
    factor = base_colour_factor(container, part.material)
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
