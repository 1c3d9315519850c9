"""The shapes and dtypes that neutral assets promise, as one table, and the check that holds arrays to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engines.assets import Array
from engines.errors import UnsuitableAsset
from engines.kinds import Kind, MapName

Axis = int | str | tuple[int, ...]
"""A length, a letter that stands for the same length in every part, or a choice of lengths."""


@dataclass(frozen=True)
class ArrayRule:
    """What one part of an asset looks like."""

    dtypes: tuple[str, ...]
    shape: tuple[Axis, ...]
    optional: bool = False


_F32 = ("float32",)
_PIXELS = ("uint8", "uint16", "float16", "float32")
_SH = (1, 4, 9, 16)

_MAPS = {
    name.value: ArrayRule(_PIXELS, ("H", "W", channels), optional=True)
    for name, channels in {
        MapName.BASE_COLOR: (3, 4),
        MapName.NORMAL: (3,),
        MapName.HEIGHT: (1,),
        MapName.ROUGHNESS: (1,),
        MapName.METALLIC: (1,),
        MapName.OCCLUSION: (1,),
        MapName.EMISSION: (3, 4),
        MapName.OPACITY: (1,),
    }.items()
}

RULES: Mapping[Kind, Mapping[str, ArrayRule]] = MappingProxyType(
    {
        Kind.IMAGE: {"pixels": ArrayRule(_PIXELS, ("H", "W", (1, 2, 3, 4)))},
        Kind.MATERIAL: _MAPS,
        Kind.CLIP: {"frames": ArrayRule(("uint8",), ("T", "H", "W", (3, 4)))},
        Kind.MESH: {
            "positions": ArrayRule(_F32, ("V", 3)),
            "faces": ArrayRule(("uint32",), ("F", 3)),
            "normals": ArrayRule(_F32, ("V", 3), optional=True),
            "uvs": ArrayRule(_F32, ("V", 2), optional=True),
            "colours": ArrayRule(_F32, ("V", (3, 4)), optional=True),
            **{f"material/{name}": rule for name, rule in _MAPS.items()},
        },
        Kind.SPLATS: {
            "positions": ArrayRule(_F32, ("N", 3)),
            "rotations": ArrayRule(_F32, ("N", 4)),
            "scales": ArrayRule(_F32, ("N", 3)),
            "opacities": ArrayRule(_F32, ("N",)),
            "sh": ArrayRule(_F32, ("N", _SH, 3)),
        },
        Kind.FIELD: {
            "bricks": ArrayRule(("int32",), ("B", 3)),
            "occupied": ArrayRule(("uint8",), ("B", 4, 4, 4)),
            "density": ArrayRule(_F32, ("B", 4, 4, 4)),
            "sh": ArrayRule(("float16", "float32"), ("B", 4, 4, 4, _SH, 3)),
        },
        Kind.SOUND: {"samples": ArrayRule(_F32, ("T", "C"))},
        Kind.SCENE: {},
        Kind.CAPTURE: {},
    }
)
"""For every kind, its parts by name, as `engines.assets` describes them in words."""


def check_parts(kind: Kind, parts: Mapping[str, Array]) -> None:
    """Raise `UnsuitableAsset`, naming the part, unless `parts` are those of an asset of that kind."""
    rules = RULES[kind]
    unknown = set(parts) - set(rules)
    missing = {name for name, rule in rules.items() if not rule.optional} - set(parts)
    if unknown or missing:
        raise UnsuitableAsset(
            f"an asset of kind {kind} has the parts {sorted(rules)}; "
            f"missing are {sorted(missing)}, unknown are {sorted(unknown)}"
        )
    lengths: dict[str, int] = {}
    for name, array in parts.items():
        rule = rules[name]
        if array.dtype.name not in rule.dtypes:
            raise UnsuitableAsset(f"part {name} of kind {kind} is {array.dtype}, expected {' or '.join(rule.dtypes)}")
        if array.ndim != len(rule.shape) or not all(
            _fits(length, axis, lengths) for length, axis in zip(array.shape, rule.shape, strict=True)
        ):
            letters = {letter: length for letter, length in lengths.items() if letter in rule.shape}
            raise UnsuitableAsset(
                f"part {name} of kind {kind} has the shape {array.shape}, expected {rule.shape} with {letters}"
            )


def _fits(length: int, axis: Axis, lengths: dict[str, int]) -> bool:
    if isinstance(axis, str):
        return lengths.setdefault(axis, length) == length
    return length in axis if isinstance(axis, tuple) else length == axis
