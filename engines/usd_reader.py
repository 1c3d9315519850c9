"""A process that takes the splats out of one USD file: `main`, called by `engines.usd_splats` alone.

Its arguments are the file, a folder for `.npy` arrays and the most splats. It says one line of JSON and ends. The file
is opened without anything it refers to: no sublayer, reference, payload or clip is followed.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

_BASE_BYTES, _BYTES_PER_BYTE = 4 << 30, 64
_ARRAYS = {
    "positions": "positions",
    "orientations": "orientations",
    "scales": "scales",
    "opacities": "opacities",
    "harmonics": "radiance:sphericalHarmonicsCoefficients",
}
"""Our names and the schema's; with an "h" behind it is the same in half floats, which floats go before."""


def main() -> None:
    """Read as the command line says."""
    path, folder, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    _limit_memory(path.stat().st_size)
    print(json.dumps(_told(path, folder, most)), flush=True)


def _limit_memory(file_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the time limit stands
        return
    most = _BASE_BYTES + _BYTES_PER_BYTE * file_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))


def _told(path: Path, folder: Path, most: int) -> dict[str, Any]:
    from pxr import Tf, Usd, UsdGeom

    # The library tells text from binary by the content, but only for this extension.
    copy = folder / "scene.usd"
    shutil.copyfile(path, copy)
    try:
        stage = Usd.Stage.Open(_alone(copy))
    except Tf.ErrorException as error:
        return _refused(f"no whole USD file: {' '.join(str(error).split())[:200]}")
    cache = UsdGeom.XformCache(Usd.TimeCode.EarliestTime())
    clouds: list[dict[str, Any]] = []
    for prim in stage.Traverse():
        if prim.GetTypeName() != "ParticleField3DGaussianSplat":
            continue
        entry = _entry(prim, cache, folder, len(clouds), most)
        if "refused" in entry:
            return entry
        clouds.append(entry)
    if not clouds:
        return _refused("it holds no ParticleField3DGaussianSplat, and other USD is not read")
    up, unit_m = UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)
    return {"clouds": clouds, "up": str(up), "unit_m": unit_m}


def _alone(path: Path) -> Any:
    """The file's own layer, with every way out of it cut."""
    from pxr import Sdf

    layer = Sdf.Layer.OpenAsAnonymous(str(path))
    layer.subLayerPaths.clear()

    def cut(at: Any) -> None:
        spec = layer.GetPrimAtPath(at) if at.IsPrimPath() or at.IsPrimVariantSelectionPath() else None
        if spec is not None:
            for way in ("references", "payload", "clips"):
                spec.ClearInfo(way)

    layer.Traverse("/", cut)
    return layer


def _entry(prim: Any, cache: Any, folder: Path, which: int, most: int) -> dict[str, Any]:
    from pxr import Usd

    time = Usd.TimeCode.EarliestTime()
    files = {}
    for ours, theirs in _ARRAYS.items():
        for name in (theirs, f"{theirs}h"):
            value = prim.GetAttribute(name).Get(time) if prim.HasAttribute(name) else None
            if value is None or len(value) == 0:
                continue
            if ours == "positions" and len(value) > most:
                return _refused(f"it declares {len(value)} splats, more than the limit of {most}", too_large=True)
            files[ours] = f"{which}_{ours}.npy"
            np.save(folder / files[ours], np.array(value), allow_pickle=False)
            break
    if "positions" not in files:
        return _refused(f"{prim.GetPath()} has no positions")
    stated = prim.GetAttribute("radiance:sphericalHarmonicsDegree")
    degree = stated.Get(time) if stated else 3  # the schema's own default, which an older library does not know
    rows = np.array(cache.GetLocalToWorldTransform(prim), np.float64).T
    return {"arrays": files, "degree": degree, "world": rows.ravel().tolist()}


def _refused(why: str, *, too_large: bool = False) -> dict[str, Any]:
    return {"refused": why, "too_large": too_large}
