"""A capture is judged by its archive's directory, kept as a whole file, and never taken apart."""

from __future__ import annotations

import stat
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engines import neutral
from engines.assets import Capture
from engines.errors import DamagedFile, EnginesError, TooLarge, UnsuitableAsset
from engines.export import export
from engines.formats import capture_zip
from engines.formats.capture_zip import photograph_names
from engines.formats.registry import Limits
from engines.hosts import HOSTS, host
from engines.kinds import Kind
from engines.parts import parts_from_asset
from engines.sniffing import sniffed
from tests.engines.captures import PHOTOGRAPHS, capture

LIMITS = Limits()


@pytest.mark.parametrize("name", HOSTS)
def test_a_capture_goes_to_every_host_byte_for_byte(name: str, tmp_path: Path) -> None:
    packed = capture(tmp_path / "Fox at noon.zip", PHOTOGRAPHS)
    (tmp_path / "out").mkdir()
    [file] = export(packed, host(name), tmp_path / "out", provenance={"seed": 1})
    assert (file.file, file.role, file.media_type) == ("fox_at_noon.zip", "capture", "application/zip")
    assert (tmp_path / "out" / file.file).read_bytes() == packed.path.read_bytes()


def test_an_uploaded_zip_becomes_a_capture_and_is_read_as_its_own_path(tmp_path: Path) -> None:
    path = capture(tmp_path / "holiday.txt", PHOTOGRAPHS).path
    manifest = neutral.manifest_for_file(path, "0" * 64, name="holiday")
    assert (manifest.kind, manifest.parts[0].media_type) == (Kind.CAPTURE, "application/zip")
    assert neutral.read(manifest, lambda _: path) == Capture(path, "holiday")
    with pytest.raises(DamagedFile, match="application/zip"):
        neutral.manifest_for_file(path, "0" * 64, media_type="image/png")


def test_a_capture_that_a_generator_made_is_kept_whole(tmp_path: Path) -> None:
    packed = capture(tmp_path / "a.zip", PHOTOGRAPHS)
    (tmp_path / "spool").mkdir()
    draft = neutral.write(packed, tmp_path / "spool")
    written = tmp_path / "spool" / draft.parts[0].file
    assert written.read_bytes() == packed.path.read_bytes() and draft.kind is Kind.CAPTURE
    manifest = neutral.manifest_of(draft, {draft.parts[0].name: "0" * 64}, {})
    assert neutral.read(manifest, lambda _: written) == Capture(written, packed.name)


def test_what_lies_aside_is_not_shown_unless_there_is_nothing_else(tmp_path: Path) -> None:
    picture = PHOTOGRAPHS["images/a.png"]
    packed = capture(tmp_path / "a.zip", {"images/b.png": picture, "Masks/b.png": picture, "images_4/b.png": picture})
    assert [name for name, _ in capture_zip.first_photographs(packed.path, LIMITS, 9)] == ["images/b.png"]
    small = capture(tmp_path / "b.zip", {"images_4/b.png": picture})
    assert [name for name, _ in capture_zip.first_photographs(small.path, LIMITS, 9)] == ["images_4/b.png"]


def test_a_zip_with_a_film_and_no_photograph_is_a_capture_too(tmp_path: Path) -> None:
    packed = capture(tmp_path / "film.zip", {"clips/walk.MOV": b"film", "notes.txt": b""})
    assert sniffed(packed.path)[1] is Kind.CAPTURE and photograph_names(packed.path, LIMITS) == ()
    assert capture_zip.decode(packed.path, LIMITS) == packed


def test_only_a_zip_of_photographs_is_kept_as_a_capture(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(PHOTOGRAPHS["images/a.png"])
    with pytest.raises(UnsuitableAsset, match="expected one zip of photographs"):
        neutral.write(Capture(tmp_path / "a.zip", "a"), tmp_path)


def test_a_capture_is_not_taken_apart(tmp_path: Path) -> None:
    packed = capture(tmp_path / "a.zip", PHOTOGRAPHS)
    with pytest.raises(UnsuitableAsset, match="one zip of photographs"):
        parts_from_asset(packed)
    manifest = neutral.manifest_for_file(packed.path, "0" * 64)
    with pytest.raises(DamagedFile, match="one zip of photographs"):
        neutral.read(replace(manifest, parts=()), lambda _: packed.path)


def test_photographs_are_named_in_order_and_the_rest_is_not() -> None:
    names = ("z.JPG", "a/b.tiff", "c.webp")
    others = ("transforms.json", ".hidden/x.png", "__MACOSX/y.png", "images.bin", "png", "x.png.txt")
    assert all(map(capture_zip.is_photograph, names)) and not any(map(capture_zip.is_photograph, others))


def test_the_first_photographs_are_spread_over_all(tmp_path: Path) -> None:
    files = {f"{place:02}.png": bytes([place]) for place in reversed(range(10))}
    packed = capture(tmp_path / "a.zip", files)
    assert capture_zip.photograph_names(packed.path, LIMITS) == tuple(sorted(files))
    few = list(capture_zip.first_photographs(packed.path, LIMITS, 3))
    assert few == [("00.png", b"\x00"), ("03.png", b"\x03"), ("06.png", b"\x06")]
    assert len(list(capture_zip.first_photographs(packed.path, LIMITS, 99))) == 10


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png", "C:/a.png"])
def test_paths_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match="points outside"):
        capture_zip.decode(capture(tmp_path / "a.zip", {"b.png": b"", name: b""}).path, LIMITS)


def test_a_file_without_a_name_is_refused(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.zip", {"b.png": b"", "nameless.png": b""}).path
    path.write_bytes(path.read_bytes().replace(b"nameless.png", b"\0ameless.png"))
    with pytest.raises(DamagedFile, match="a file without a name"):
        capture_zip.decode(path, LIMITS)


def test_archives_that_are_no_capture_are_refused_in_words(tmp_path: Path) -> None:
    empty = capture(tmp_path / "document.zip", {"word/document.xml": b"<x/>"}).path
    for judge in (sniffed, lambda path: capture_zip.decode(path, LIMITS)):
        with pytest.raises(DamagedFile, match="without a single photograph") as refused:
            judge(empty)
        assert "transforms.json" in refused.value.remedy
    link = tmp_path / "link.zip"
    with zipfile.ZipFile(link, "w") as archive:
        info = zipfile.ZipInfo("a.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DamagedFile, match="is a link"):
        capture_zip.decode(link, LIMITS)
    twice = tmp_path / "twice.zip"
    twice.write_bytes(
        capture(tmp_path / "a.zip", {"a.png": b"", "b.png": b""}).path.read_bytes().replace(b"b.p", b"a.p")
    )
    with pytest.raises(DamagedFile, match="twice"):
        capture_zip.decode(twice, LIMITS)
    locked = bytearray(capture(tmp_path / "a.zip", {"a.png": b"x"}).path.read_bytes())
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    link.write_bytes(locked)
    with pytest.raises(DamagedFile, match="encrypted"):
        capture_zip.decode(link, LIMITS)


def test_limits_are_seen_in_the_directory_alone(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.zip", PHOTOGRAPHS).path
    with pytest.raises(TooLarge, match="lists 4 files"):
        capture_zip.decode(path, Limits(max_entries=3))
    with pytest.raises(TooLarge, match="unpacks to"):
        capture_zip.decode(path, Limits(max_file_bytes=100))
    bomb = bytearray(path.read_bytes())
    at = bomb.index(b"PK\x01\x02", bomb.index(b"PK\x01\x02") + 1) + 24
    bomb[at : at + 4] = struct.pack("<I", 600 << 20)
    path.write_bytes(bomb)
    with pytest.raises(TooLarge, match=r"a\.png in a\.zip unpacks"):
        capture_zip.decode(path, LIMITS)


def test_a_directory_too_large_to_read_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = capture(tmp_path / "a.zip", {f"{'x' * 60}{place}.png": b"" for place in range(900)}).path
    assert len(capture_zip.photograph_names(path, LIMITS)) == 900
    monkeypatch.setattr(capture_zip, "_DIRECTORY_MAX_BYTES", 70_000)
    with pytest.raises(TooLarge, match="directory is larger"):
        capture_zip.decode(path, LIMITS)


def test_a_damaged_photograph_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.zip", {"a.png": b"content"}).path
    path.write_bytes(path.read_bytes().replace(b"content", b"CONTENT"))
    assert isinstance(capture_zip.decode(path, LIMITS), Capture)
    with pytest.raises(EnginesError, match=r"a\.png in a\.zip is damaged"):
        list(capture_zip.first_photographs(path, LIMITS, 1))
