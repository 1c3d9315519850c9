"""Assets taken apart into named arrays and JSON, and put together again; the two are each other's inverse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engines.assets import (
    Array,
    Asset,
    Capture,
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
from engines.errors import UnsuitableAsset
from engines.kinds import ColourSpace, Kind, MapName

Meta = dict[str, Any]
_NESTED = "material/"
_FIELD = ("bricks", "occupied", "density", "sh")
_WHOLE = "a capture is one zip of photographs; it cannot be taken apart into arrays or made of them"


def parts_from_asset(asset: Asset) -> tuple[Meta, dict[str, Array]]:
    """Everything of `asset` but its name: JSON values, and arrays by part name; nothing is copied.

    A material's parts are its maps; those of a mesh's material are named `material/base_color` and so on. Raises
    `UnsuitableAsset` for a capture, which is one file and has no parts.
    """
    match asset:
        case Image():
            return {"colour_space": asset.colour_space.value}, {"pixels": asset.pixels}
        case Material():
            return _material_meta(asset), {name.value: image.pixels for name, image in asset.maps.items()}
        case Clip():
            return {"fps": float(asset.fps), "loops": asset.loops}, {"frames": asset.frames}
        case Mesh():
            return _mesh_parts(asset)
        case Splats():
            names = ("positions", "rotations", "scales", "opacities", "sh")
            return {}, {name: getattr(asset, name) for name in names}
        case Field():
            return _field_meta(asset), {name: getattr(asset, name) for name in _FIELD}
        case Sound():
            return {"rate_hz": int(asset.rate_hz), "loops": asset.loops}, {"samples": asset.samples}
        case ScenePlan():
            return {"placements": [_placed(each) for each in asset.placements], "notes": dict(asset.notes)}, {}
        case Capture():
            raise UnsuitableAsset(_WHOLE, remedy="keep the zip whole")


def asset_from_parts(kind: Kind, meta: Mapping[str, Any], parts: Mapping[str, Array], name: str = "") -> Asset:
    """The asset again. Raises KeyError, TypeError or ValueError when `meta` is not what was written."""
    match kind:
        case Kind.IMAGE:
            return Image(parts["pixels"], ColourSpace(meta["colour_space"]), name)
        case Kind.MATERIAL:
            return _material(meta, parts, name)
        case Kind.CLIP:
            return Clip(parts["frames"], float(meta["fps"]), bool(meta["loops"]), name)
        case Kind.MESH:
            nested = {k.removeprefix(_NESTED): v for k, v in parts.items() if k.startswith(_NESTED)}
            own = {k: v for k, v in parts.items() if not k.startswith(_NESTED)}
            inner = meta["material"]
            material = None if inner is None else _material(inner, nested, str(inner["name"]))
            return Mesh(**own, material=material, name=name)
        case Kind.SPLATS:
            return Splats(**parts, name=name)
        case Kind.FIELD:
            return _field(meta, parts, name)
        case Kind.SOUND:
            return Sound(parts["samples"], int(meta["rate_hz"]), bool(meta["loops"]), name)
        case Kind.SCENE:
            placements = tuple(_placement(each) for each in meta["placements"])
            return ScenePlan(placements, name, {str(k): str(v) for k, v in meta["notes"].items()})
        case Kind.CAPTURE:
            raise UnsuitableAsset(_WHOLE)


def _mesh_parts(mesh: Mesh) -> tuple[Meta, dict[str, Array]]:
    parts: dict[str, Array] = {"positions": mesh.positions, "faces": mesh.faces}
    for name in ("normals", "uvs", "colours"):
        array = getattr(mesh, name)
        if array is not None:
            parts[name] = array
    if mesh.material is None:
        return {"material": None}, parts
    for map_name, image in mesh.material.maps.items():
        parts[f"{_NESTED}{map_name.value}"] = image.pixels
    return {"material": {**_material_meta(mesh.material), "name": mesh.material.name}}, parts


def _material_meta(material: Material) -> Meta:
    maps = {
        name.value: {"colour_space": image.colour_space.value, "name": image.name}
        for name, image in material.maps.items()
    }
    return {
        "tile_m": float(material.tile_m),
        "height_m": float(material.height_m),
        "tileable": material.tileable,
        "ior": float(material.ior),
        "maps": maps,
    }


def _material(meta: Mapping[str, Any], parts: Mapping[str, Array], name: str) -> Material:
    if set(parts) != set(meta["maps"]):
        raise UnsuitableAsset(f"the maps {sorted(parts)} are not the {sorted(meta['maps'])} that are described")
    # In the order of MapName, so that a material read back lists its maps as it was declared.
    maps = {
        each: Image(parts[each.value], ColourSpace(meta["maps"][each]["colour_space"]), str(meta["maps"][each]["name"]))
        for each in MapName
        if each.value in parts
    }
    return Material(
        maps, float(meta["tile_m"]), float(meta["height_m"]), bool(meta["tileable"]), float(meta["ior"]), name
    )


def _field_meta(asset: Field) -> Meta:
    return {
        "cells": int(asset.cells),
        "centre_m": _floats(asset.centre_m),
        "radius_m": float(asset.radius_m),
        "contracted": asset.contracted,
        "near_m": float(asset.near_m),
        "backdrop": None if asset.backdrop is None else _floats(asset.backdrop),
        "seen_from_m": None if asset.seen_from_m is None else _floats(asset.seen_from_m),
    }


def _field(meta: Mapping[str, Any], parts: Mapping[str, Array], name: str) -> Field:
    cells = int(meta["cells"])
    if cells < 4 or cells % 4:
        raise UnsuitableAsset(f"a field's lattice has {cells} cells along a side, expected a multiple of 4")
    bricks = parts["bricks"]
    if bricks.size and (bricks.min() < 0 or bricks.max() >= cells // 4):
        raise UnsuitableAsset(f"a brick of the field lies outside of its lattice of {cells} cells")
    return Field(
        **{key: parts[key] for key in _FIELD},
        cells=cells,
        centre_m=_three(meta["centre_m"]),
        radius_m=float(meta["radius_m"]),
        contracted=bool(meta["contracted"]),
        near_m=float(meta["near_m"]),
        backdrop=None if meta["backdrop"] is None else _three(meta["backdrop"]),
        seen_from_m=None if meta["seen_from_m"] is None else _three(meta["seen_from_m"]),
        name=name,
    )


def _placed(placement: Placement) -> Meta:
    return {
        "asset": placement.asset,
        "name": placement.name,
        "position_m": _floats(placement.position_m),
        "rotation_wxyz": _floats(placement.rotation_wxyz),
        "scale": _floats(placement.scale),
    }


def _placement(tree: Mapping[str, Any]) -> Placement:
    w, x, y, z = (float(value) for value in tree["rotation_wxyz"])
    return Placement(
        str(tree["asset"]), str(tree["name"]), _three(tree["position_m"]), (w, x, y, z), _three(tree["scale"])
    )


def _floats(values: tuple[float, ...]) -> list[float]:
    return [float(value) for value in values]


def _three(values: list[float]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
