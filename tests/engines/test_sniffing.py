"""Every file we write is recognised by its content, under whatever name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.assets import Asset, Clip, Mesh, Sound, Splats
from engines.asymmetric import asymmetric_mesh, asymmetric_splats, findings
from engines.errors import DamagedFile
from engines.export import export
from engines.formats.registry import Limits, decoder, format_named, missing_need
from engines.hosts import host
from engines.kinds import Kind
from engines.neutral import manifest_for_file, read
from engines.sniffing import sniffed
from tests.engines.neutral_assets import image

CASES: dict[str, Asset] = {
    "png": image(1),
    "jpeg": image(1),
    "exr": image(1),
    "mp4": Clip(np.zeros((2, 16, 16, 3), np.uint8)),
    "wav": Sound(np.zeros((9, 1), np.float32)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_we_write_is_recognised(name: str, tmp_path: Path) -> None:
    asset = CASES[name]
    [file] = export(asset, host("blender"), tmp_path, formats={asset.kind: name})
    path = (tmp_path / file.file).rename(tmp_path / "holiday.txt")
    row, kind = sniffed(path)
    assert (row.name, kind, row.media_type) == (name, asset.kind, file.media_type)
    assert decoder(row)(path, Limits()).kind is kind


DIALECTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "splat_dialects"
SPLAT_FORMATS = [name for name in host("python").formats[Kind.SPLATS] if not missing_need(format_named(name))]


@pytest.mark.parametrize("name", SPLAT_FORMATS)
def test_every_splat_file_can_be_an_input(name: str, tmp_path: Path) -> None:
    [file] = export(asymmetric_splats(), host("python"), tmp_path, formats={Kind.SPLATS: name})
    path = (tmp_path / file.file).rename(tmp_path / ("0" * 64))
    manifest = manifest_for_file(path, "0" * 64, name="uploaded", media_type=file.media_type)
    assert (manifest.kind, manifest.meta["format"]) == (Kind.SPLATS, name)
    asset = read(manifest, lambda _: path)
    assert isinstance(asset, Splats) and asset.name == "uploaded"
    assert findings(asset) == []


def test_every_sample_of_other_tools_is_read() -> None:
    if not DIALECTS.is_dir():
        pytest.skip(f"needs the sample files in {DIALECTS}")
    samples = sorted(DIALECTS.iterdir())
    assert len(samples) >= 6
    for path in samples:
        row, kind = sniffed(path)
        assert (row.extension, kind) == (path.suffix, Kind.SPLATS), path.name
        got = decoder(row)(path, Limits())
        assert isinstance(got, Splats) and len(got.positions) == 4, path.name


@pytest.mark.parametrize("text", [
    "Dear Sir,\nv is for victory\n", "v\tw\n1\t2\n", "solid ground\n", "import os\nv = 1\n", "{}", "<svg/>",
])  # fmt: skip
def test_other_text_is_not_taken_for_geometry(text: str, tmp_path: Path) -> None:
    (tmp_path / "upload").write_text(text * 20)
    with pytest.raises(DamagedFile, match="none of the formats"):
        sniffed(tmp_path / "upload")


@pytest.mark.parametrize("name", ["stl", "obj", "3mf", "ply", "glb"])
def test_every_mesh_file_can_be_an_input(name: str, tmp_path: Path) -> None:
    first, *_ = export(asymmetric_mesh(), host("python"), tmp_path, formats={Kind.MESH: name})
    path = (tmp_path / first.file).rename(tmp_path / ("0" * 64))
    manifest = manifest_for_file(path, "0" * 64, media_type=first.media_type)
    assert (manifest.kind, manifest.meta["format"]) == (Kind.MESH, name)
    assert isinstance(read(manifest, lambda _: path), Mesh)


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"glTF\x02\0\0\0", "glb", Kind.MESH),
        (b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\n", "ply", Kind.MESH),
        (b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float f_dc_0\n", "ply", Kind.SPLATS),
        (b"NGSP\x04\0\0\0", "spz", Kind.SPLATS),
        (b"\x1f\x8b\x08\0", "spz", Kind.SPLATS),
    ],
)
def test_geometry_is_told_apart_by_its_head(head: bytes, name: str, kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(head)
    row, found = sniffed(path)
    assert (row.name, found) == (name, kind)


def test_pictures_in_film_containers_are_no_films(tmp_path: Path) -> None:
    path = tmp_path / "photo.mp4"
    for brand in (b"heic", b"avif"):
        path.write_bytes(b"\x00\x00\x00\x18ftyp" + brand + b"\0" * 16)
        with pytest.raises(DamagedFile):
            sniffed(path)
