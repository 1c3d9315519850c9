"""Zips and folders that mean harm."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.radiance import archive
from generators.radiance.archive import CaptureError, clean_name, open_source


def zipped(path: Path, names: list[str], content: bytes = b"x", method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name in names:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "..\\a", "C:\\a", "\\\\server\\a", "a/.."])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaptureError, match="points outside the capture"):
        clean_name(name)
    with pytest.raises(CaptureError, match="points outside the capture"):
        open_source(zipped(tmp_path / "a.zip", [name]))


def test_a_file_without_a_name_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["a.png", "nameless.png"])
    path.write_bytes(path.read_bytes().replace(b"nameless.png", b"\0ameless.png"))
    with pytest.raises(CaptureError, match="a file without a name"):
        open_source(path)


@given(st.text(max_size=40))
def test_clean_names_stay_inside(name: str) -> None:
    try:
        clean = clean_name(name)
    except CaptureError:
        return
    assert Path("/root/x").joinpath(clean).resolve().is_relative_to("/root/x")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["bomb.png"], b"\0" * (8 << 20), zipfile.ZIP_DEFLATED)
    with pytest.raises(CaptureError, match=r"bomb\.png would unpack to 8388608 bytes"):
        open_source(path)


def test_too_much_in_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a.zip", ["a", "b", "c"], b"x" * 1000)
    monkeypatch.setattr(archive, "TOTAL_BYTES_MAX", 2500)
    with pytest.raises(CaptureError, match="more than 0 GiB"):
        open_source(path)
    monkeypatch.setattr(archive, "FILES_MAX", 2)
    with pytest.raises(CaptureError, match="lists 3 files; at most 2"):
        open_source(path)


def test_a_file_that_understates_its_size_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["a.png"], b"y" * 5000, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 100)
    path.write_bytes(bytes(content))
    with open_source(path) as source, pytest.raises(CaptureError, match="damaged"):
        source.read("a.png")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped(path, ["a.png", "a.png"])
    with pytest.raises(CaptureError, match="in the archive twice"):
        open_source(path)


def test_links_in_a_zip_do_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("real.png", b"x")
    with open_source(path) as source:
        assert source.names == {"real.png"}


def test_links_out_of_a_folder_do_not_exist(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    root = tmp_path / "scene"
    root.mkdir()
    (root / "a.png").write_bytes(b"x")
    (root / "link.png").symlink_to(tmp_path / "secret")
    with open_source(root) as source:
        assert source.names == {"a.png"} and source.read("a.png") == b"x"
        with pytest.raises(CaptureError, match="not part of this capture"):
            source.read("../secret")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="not a readable zip archive"):
        open_source(path)


def test_nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="does not exist"):
        open_source(tmp_path / "gone")
