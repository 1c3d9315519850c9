"""GLB files as other programs might write them."""

from typing import Any

from numpy.typing import NDArray

from engines import glb_container


def built(document: dict[str, Any], *arrays: NDArray[Any]) -> bytes:
    """A GLB as another program might write it: each array is one buffer view and one accessor."""
    codes = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
    views, accessors, binary = [], [], b""
    for array in arrays:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        kind = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}[array.shape[1]]
        accessors.append({"bufferView": len(views) - 1, "componentType": codes[array.dtype.str[1:]],
                          "count": len(array), "type": kind})  # fmt: skip
        binary += array.tobytes() + b"\0" * (-array.nbytes % 4)
    base = {"asset": {"version": "2.0"}, "buffers": [{"byteLength": len(binary)}], "bufferViews": views,
            "accessors": accessors, "scenes": [{"nodes": [0]}]}  # fmt: skip
    return glb_container.packed({**base, **document}, binary)
