"""SOG: splats as lossless WebP textures in a zip, with `meta.json` (PlayCanvas, version 2; version 1 is read).

The smallest of the formats that browsers draw: a twentieth of the PLY. The axes are those of trained clouds, right,
down, forward, and metres, as the reference writer and its viewers have them. Splats stand in Morton order, row by row.

Positions: 16 bits over the cloud's box in sign(x)·ln(1 + |x|). Log-scales and colours: 256 values each, chosen for the
cloud. Rotations: index of the largest of w, x, y, z, the others in 8 bits. Opacity: 8 bits. Harmonics: a palette of up
to 65 536 rows, whose numbers are again 256 chosen values.

What is written comes back within half a step: positions 1/131 070 of ln(1 + extent), rotations 0.003 for a small
component, opacity 1/510. Scales, colours and harmonics have no fixed bound; docs/splat_formats.md has measured ones.

Source: PlayCanvas' description of the format, and what splat-transform reads and writes.
"""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.conventions import Host
from engines.errors import UnsuitableAsset
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_splats
from engines.kinds import Kind
from engines.sog_reader import read_splats
from engines.spherical_harmonics import degree_of
from engines.splat_order import morton_order
from engines.splat_palette import codebook, palette
from engines.splat_values import log_from_scale, unit_quaternions
from engines.transforms import OPENCV_AXES, Frame, move_splats

MEDIA_TYPE = "application/x-sog"
MOST_ENTRIES = 65536
"""Labels have 16 bits."""
_PALETTE_COLUMNS = 64
_LOG_SCALE_MOST = 20.0
_ROOT_TWO = float(np.sqrt(2))
_WEBP_LIMIT_PX = 16383


def encode(asset: Splats, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.sog`. Raises `UnsuitableAsset` also for an empty cloud, of which the format cannot tell."""
    check_splats(asset)
    count = len(asset.positions)
    if count == 0:
        raise UnsuitableAsset("SOG cannot hold a cloud without splats")
    moved = move_splats(asset, Frame(OPENCV_AXES))
    order = morton_order(moved.positions)
    width = -(-int(np.ceil(np.sqrt(count))) // 4) * 4
    height = -(-count // width // 4) * 4
    if max(width, height) > _WEBP_LIMIT_PX:
        raise UnsuitableAsset(f"SOG holds up to {_WEBP_LIMIT_PX**2} splats, this cloud has {count}")
    meta: dict[str, Any] = {"version": 2, "asset": {"generator": "Scenecast"}, "count": count}
    if provenance:
        meta["asset"]["scenecast"] = json.loads(provenance)
    textures = _textures(moved, order, meta)
    with ThreadPoolExecutor() as pool:
        coded = pool.map(lambda each: _webp(each, width, height), textures.values())
        files = dict(zip(textures, coded, strict=True))
    files["meta.json"] = json.dumps(meta, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    path = folder / f"{stem}.sog"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            # A fixed date, so that the same cloud gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return [ExportedFile(path.name, "splats", MEDIA_TYPE, None, path.stat().st_size)]


def decode(path: Path, limits: Limits) -> Splats:
    """Splats of a bundled SOG of version 1 or 2. Raises `DamagedFile` or `TooLarge`."""
    return read_splats(path, limits)


def _textures(splats: Splats, order: NDArray[np.int64], meta: dict[str, Any]) -> dict[str, NDArray[np.uint8]]:
    """Pixels uint8 [N, 4] (the palette's [H, W, 4]) by file name; `meta` gets what is needed to read them."""
    logs = np.clip(log_from_scale(splats.scales), -_LOG_SCALE_MOST, _LOG_SCALE_MOST)
    scale_book, scales = codebook(logs)
    colour_book, colours = codebook(splats.sh[:, 0])
    alpha = np.round(np.clip(splats.opacities, 0, 1) * 255).astype(np.uint8)
    steps, low, high = _log_steps(splats.positions)
    meta["means"] = {"mins": low, "maxs": high, "files": ["means_l.webp", "means_u.webp"]}
    meta["scales"] = {"codebook": _numbers(scale_book), "files": ["scales.webp"]}
    meta["quats"] = {"files": ["quats.webp"]}
    meta["sh0"] = {"codebook": _numbers(colour_book), "files": ["sh0.webp"]}
    textures = {
        "means_l.webp": _opaque((steps & np.uint16(255)).astype(np.uint8)[order]),
        "means_u.webp": _opaque((steps >> np.uint16(8)).astype(np.uint8)[order]),
        "scales.webp": _opaque(scales[order]),
        "quats.webp": _turns(splats.rotations[order]),
        "sh0.webp": np.concatenate([colours, alpha[:, None]], axis=1)[order],
    }
    degree = degree_of(splats.sh.shape[1])
    if degree:
        entries = min(MOST_ENTRIES, 2 ** int(np.log2(len(order))))
        rows, labels = palette(splats.sh[order, 1:].reshape(len(order), -1), entries)
        book, codes = codebook(rows)
        files = ["shN_centroids.webp", "shN_labels.webp"]
        meta["shN"] = {"count": entries, "bands": degree, "codebook": _numbers(book), "files": files}
        textures[files[0]] = _palette_picture(codes)
        pair = np.stack([labels & 255, labels >> 8, np.zeros_like(labels)], axis=1)
        textures[files[1]] = _opaque(pair.astype(np.uint8))
    return textures


def _log_steps(positions: FloatArray) -> tuple[NDArray[np.uint16], list[float], list[float]]:
    logs = np.sign(positions) * np.log1p(np.abs(positions.astype(np.float64)))
    low, high = logs.min(axis=0), logs.max(axis=0)
    extent = np.where(high > low, high - low, 1.0)
    return np.round((logs - low) / extent * 65535).astype(np.uint16), low.tolist(), high.tolist()


def _turns(rotations: FloatArray) -> NDArray[np.uint8]:
    wxyz = unit_quaternions(rotations)
    largest = np.argmax(np.abs(wxyz), axis=1)
    signs = np.where(np.take_along_axis(wxyz, largest[:, None], axis=1) < 0, -1.0, 1.0)
    codes = np.clip(np.round((wxyz * (signs * _ROOT_TWO) * 0.5 + 0.5) * 255), 0, 255).astype(np.uint8)
    result = np.empty((len(wxyz), 4), np.uint8)
    others = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    result[:, :3] = np.take_along_axis(codes, others[largest], axis=1)
    result[:, 3] = 252 + largest
    return result


def _palette_picture(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """64 entries in a row of pixels, each as many pixels wide as it has harmonics."""
    entries, numbers = codes.shape
    rows = -(-entries // _PALETTE_COLUMNS)
    filled = np.zeros((rows * _PALETTE_COLUMNS, numbers), np.uint8)
    filled[:entries] = codes
    return _opaque(filled.reshape(-1, 3)).reshape(rows, _PALETTE_COLUMNS * numbers // 3, 4)


def _opaque(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([rgb, np.full((len(rgb), 1), 255, np.uint8)], axis=1)


def _numbers(book: FloatArray) -> list[float]:
    return [float(f"{value:.9g}") for value in book]


def _webp(pixels: NDArray[np.uint8], width: int, height: int) -> bytes:
    from PIL import Image as Pillow

    if pixels.ndim == 2:
        filled = np.zeros((width * height, 4), np.uint8)
        filled[:, 3] = 255
        filled[: len(pixels)] = pixels
        pixels = filled.reshape(height, width, 4)
    file = io.BytesIO()
    # `exact` keeps the colours of pixels whose alpha, here an opacity, is zero.
    Pillow.fromarray(pixels).save(file, "WEBP", lossless=True, exact=True, quality=75, method=4)
    return file.getvalue()


FORMATS = (
    Format(
        name="sog",
        title="SOG",
        kinds=(Kind.SPLATS,),
        extension=".sog",
        media_type=MEDIA_TYPE,
        encode="engines.formats.sog:encode",
        decode="engines.formats.sog:decode",
        needs=("PIL",),
    ),
)
