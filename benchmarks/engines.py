"""Exports and thumbnails: what stands between a stored asset and the files a host opens."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from benchmarks.figures import Figure, secs
from benchmarks.materials import made
from engines.assets import Material, Splats
from engines.conventions import Host
from engines.export import export
from engines.hosts import host
from engines.kinds import Kind
from engines.packing import textures
from engines.thumbnail import thumbnail

BENCH = "engines"
ROUNDS = 5


def run() -> Iterator[Figure]:
    """Exports of a material and a cloud, and thumbnails."""
    material = _material(1024)
    for name in ("blender", "unreal", "unity"):
        row = host(name)
        peer_ms = _ms(lambda row=row: _by_pillow(material, row))  # type: ignore[misc]
        ours_ms = _ms(lambda row=row: _export(material, row))  # type: ignore[misc]
        peer = "Pillow level 1, one map after another, same run"
        yield Figure(BENCH, f"1024² material as PNG for {name}", ours_ms, "ms", peer, peer_ms)
    yield Figure(BENCH, "thumbnail of a 1024² material", _ms(lambda: thumbnail(material)), "ms", "goal ≤ 500 ms", 500)
    cloud = _cloud(1_000_000)
    written_ms = _ms(lambda: _written(68 * len(cloud.positions)))
    spent = _ms(lambda: _export(cloud, host("blender"), "ply"))
    yield Figure(BENCH, "1 M splats, degree 0, as PLY", spent, "ms", "writing as many bytes, same run", written_ms)
    spent = _ms(lambda: _export(cloud, host("blender"), "spz"))
    yield Figure(BENCH, "1 M splats, degree 0, as SPZ", spent, "ms", "goal ≤ 1000 ms", 1000)


def _written(size_bytes: int) -> None:
    with tempfile.TemporaryFile(prefix="scenecast-bench-") as file:
        file.write(np.zeros(size_bytes, np.uint8).data)


def _ms(work: Callable[[], object]) -> float:
    return statistics.median(secs(work, rounds=ROUNDS)) * 1e3


def _export(asset: Material | Splats, row: Host, form: str = "") -> None:
    with tempfile.TemporaryDirectory(prefix="scenecast-bench-") as folder:
        export(asset, row, Path(folder), formats={Kind.SPLATS: form} if form else None)


def _by_pillow(material: Material, row: Host) -> None:
    with tempfile.TemporaryDirectory(prefix="scenecast-bench-") as folder:
        for texture in textures(material, row):
            pixels = texture.image.pixels
            picture = Pillow.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
            picture.save(Path(folder) / f"{texture.role}.png", compress_level=1)


def _material(size_px: int) -> Material:
    """Bricks from the product's own generator: noise would flatter no compressor, and flat colour every one."""
    return made("old red bricks", size_px)


def _cloud(count: int) -> Splats:
    rng = np.random.default_rng(0)
    turns = rng.normal(size=(count, 4)).astype(np.float32)
    return Splats(
        positions=rng.normal(size=(count, 3)).astype(np.float32),
        rotations=turns / np.linalg.norm(turns, axis=1, keepdims=True),
        scales=rng.uniform(0.001, 0.02, (count, 3)).astype(np.float32),
        opacities=rng.uniform(0.05, 1, count).astype(np.float32),
        sh=rng.normal(size=(count, 1, 3)).astype(np.float32),
    )
