"""Small files that would become huge are refused in words before memory is asked for."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from engines import memory
from engines.assets import Clip, Image, Sound, Splats
from engines.asymmetric import asymmetric_mesh
from engines.errors import TooLarge
from engines.formats.registry import Limits, decoder, encoder, format_named
from engines.glb_container import packed
from engines.hosts import host
from engines.memory import check_splats_memory, most_decode_bytes, splat_bytes

GIB = 1 << 30
LIMITS = Limits(max_memory_bytes=GIB)
MANY = 2**26 - 1
"""Splats that the limit of elements lets pass."""


def cloud(count: int, coefficients: int) -> Splats:
    rng = np.random.default_rng(5)
    return Splats(
        positions=rng.random((count, 3), np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        scales=np.full((count, 3), 0.01, np.float32),
        opacities=rng.random(count, np.float32),
        sh=rng.random((count, coefficients, 3), np.float32),
    )


def spz_gzip() -> bytes:
    return gzip.compress(struct.pack("<4sIIBBBB", b"NGSP", 3, MANY, 3, 12, 0, 0) + bytes(4 << 20))


def spz_zstd() -> bytes:
    sizes = [MANY * each for each in (9, 1, 3, 3, 4, 45)]
    table = b"".join(struct.pack("<QQ", 8, size) for size in sizes)
    return struct.pack("<4sIIBBBBI12x", b"NGSP", 4, MANY, 3, 12, 0, 6, 32) + table + bytes(48)


def sog() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.json", json.dumps({"version": 2, "count": MANY, "shN": {"bands": 3}}))
    return file.getvalue()


def chunked_ply() -> bytes:
    words = "".join(f"property uint packed_{name}\n" for name in ("position", "rotation", "scale", "color"))
    return f"ply\nformat binary_little_endian 1.0\nelement vertex {MANY}\n{words}end_header\n".encode()


def zeros_glb() -> bytes:
    """Megabytes from which an accessor makes as many gigabytes of zeros."""
    sparse = {"count": 0, "indices": {"bufferView": 0, "componentType": 5125}, "values": {"bufferView": 0}}
    accessor = {"componentType": 5126, "count": 2**25, "type": "VEC3", "sparse": sparse}
    document = {
        "asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}], "accessors": [accessor],
        "bufferViews": [{"buffer": 0, "byteLength": 4}], "buffers": [{"byteLength": 4 << 20}],
    }  # fmt: skip
    return packed(document, bytes(4 << 20))


def repeated_glb() -> bytes:
    """A mesh that is not large, shown often: all that it comes to counts."""
    nodes = [{"mesh": 0}] * 1000
    document = {
        "asset": {"version": "2.0"}, "scenes": [{"nodes": list(range(1000))}], "nodes": nodes,
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 30_000, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 360_000}], "buffers": [{"byteLength": 360_000}],
    }  # fmt: skip
    return packed(document, bytes(360_000))


def png(depth: int = 16) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 8192, 8192, depth, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))


def three_mf(body: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3D/3dmodel.model", f'<model unit="millimeter">{body}</model>')
    return file.getvalue()


def listed_3mf() -> bytes:
    items = '<component objectid="1"/>' * 110_000
    return three_mf(f'<resources><object id="1"><components>{items}</components></object></resources>')


def placed_3mf() -> bytes:
    """One mesh of some thousand triangles, built ten thousand times."""
    vertices = '<vertex x="0" y="0" z="0"/>' * 1000
    triangles = '<triangle v1="0" v2="1" v3="2"/>' * 3000
    mesh = f"<mesh><vertices>{vertices}</vertices><triangles>{triangles}</triangles></mesh>"
    return three_mf(f'<resources><object id="1">{mesh}</object></resources>' + '<item objectid="1"/>' * 9000)


HOSTILE = {
    "spz in gzip": ("spz", spz_gzip),
    "spz in zstd": ("spz", spz_zstd),
    "sog": ("sog", sog),
    "chunked ply": ("compressed_ply", chunked_ply),
    "chunked ply as ply": ("ply", chunked_ply),
    "zeros in glb": ("glb", zeros_glb),
    "glb that repeats": ("glb", repeated_glb),
    "deep png": ("png", png),
    "3mf that repeats": ("3mf", placed_3mf),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_small_file_that_would_become_huge_is_refused_before_memory_is_asked_for(case: str, tmp_path: Path) -> None:
    name, made = HOSTILE[case]
    row = format_named(name)
    path = tmp_path / f"small{row.extension}"
    path.write_bytes(made())
    assert path.stat().st_size < 6 << 20
    limits = Limits(max_memory_bytes=GIB // 4) if "repeats" in case else LIMITS
    decode = decoder(row)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="GB of memory to read, the limit is") as refused:
            decode(path, limits)
        assert tracemalloc.get_traced_memory()[1] < limits.max_memory_bytes
    finally:
        tracemalloc.stop()
    assert "decode_bytes" in refused.value.remedy


def test_a_3mf_that_lists_absurdly_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.3mf"
    path.write_bytes(listed_3mf())
    with pytest.raises(TooLarge, match="lists more than 100000 objects"):
        decoder(format_named("3mf"))(path, LIMITS)


@pytest.mark.parametrize("name", ["spz", "splat", "ksplat", "compressed_ply", "ply", "sog", "glb", "usd"])
def test_a_cloud_is_read_up_to_the_limit_and_told_beyond_it(name: str, tmp_path: Path) -> None:
    if name == "usd":
        pytest.importorskip("pxr")
    row = format_named(name)
    made = cloud(2000, 9)
    (file,) = encoder(row)(made, tmp_path, "cloud", host=host("python"))
    path = tmp_path / file.file
    got = decoder(row)(path, Limits(max_memory_bytes=2000 * 2 * splat_bytes(16)))
    assert isinstance(got, Splats) and len(got.positions) == 2000
    with pytest.raises(TooLarge, match="GB of memory to read"):
        decoder(row)(path, Limits(max_memory_bytes=2000 * 100))


@pytest.mark.parametrize("name", ["png", "jpeg", "exr", "wav", "mp4"])
def test_pictures_films_and_sounds_beyond_the_limit_are_told(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
    assets = {"wav": Sound(np.zeros((9000, 1), np.float32)), "mp4": Clip(np.stack([pixels] * 30))}
    row = format_named(name)
    files = encoder(row)(assets.get(name, Image(pixels)), tmp_path, "one", host=host("python"))
    decoder(row)(tmp_path / files[0].file, LIMITS)
    with pytest.raises(TooLarge, match="GB of memory to read"):
        decoder(row)(tmp_path / files[0].file, Limits(max_memory_bytes=100_000 if name == "mp4" else 30_000))


@pytest.mark.parametrize("name", ["stl", "obj", "3mf", "glb", "ply"])
def test_a_mesh_beyond_the_limit_is_told(name: str, tmp_path: Path) -> None:
    row = format_named(name)
    files = encoder(row)(asymmetric_mesh(), tmp_path, "mesh", host=host("python"))
    path = next(tmp_path / file.file for file in files if file.file.endswith(row.extension))
    decoder(row)(path, LIMITS)
    with pytest.raises(TooLarge, match="GB of memory to read"):
        decoder(row)(path, Limits(max_memory_bytes=64))


def test_twenty_million_splats_of_degree_three_are_read_where_there_are_24_gb() -> None:
    check_splats_memory(20_000_000, 16, most_decode_bytes({}, 24 << 30), "a city")
    check_splats_memory(20_000_000, 16, most_decode_bytes({}, 64 << 30), "a city")
    with pytest.raises(TooLarge, match=r"a city, 20000000 splats .* 16.9 GB .* 12.9 GB") as refused:
        check_splats_memory(20_000_000, 16, most_decode_bytes({}, 16 << 30), "a city")
    assert "decimate" in refused.value.remedy and "decode_bytes" in refused.value.remedy


def test_the_limit_is_the_setting_else_a_share_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_decode_bytes({memory.VARIABLE: "123456"}, 64 << 30) == 123456
    assert most_decode_bytes({memory.VARIABLE: "0"}, 8 << 30) == most_decode_bytes({}, 8 << 30) == 6 << 30
    assert most_decode_bytes({memory.VARIABLE: "much"}, 1 << 40) == 24 << 30
    assert most_decode_bytes({}, 0) == 6 << 30, "where the system does not say"
    monkeypatch.setenv(memory.VARIABLE, "777")
    assert Limits().max_memory_bytes == 777


def test_a_container_has_what_it_was_granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "memory.max")
    whole = memory.machine_bytes()
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.machine_bytes() == whole
    (tmp_path / "memory.max").write_text("1000000\n")
    assert memory.machine_bytes() == min(whole, 1_000_000)
