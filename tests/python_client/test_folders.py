"""A folder of photographs becomes one zip, always the same, holding what a capture needs and nothing else."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from engines.formats.capture_zip import FILMS, PICTURES, photograph_names
from engines.formats.registry import Limits
from python_client import ScenecastError, connect, folders
from python_client.testing import FakeBridge

FILES = {
    "transforms.json": b'{"frames": []}',
    "images/b.JPG": b"second",
    "images/a.png": b"first" * 1000,
    "images/ä.webp": b"third",
    "sparse/0/cameras.bin": b"c",
    "sparse/0/points3D.bin": b"p",
    "sparse_pc.ply": b"ply",
    "walk.MP4": b"film",
    "pose/0.txt": b"matrix",
    "registration.csv": b"rows",
    "scan/metadata": b"list",
    "IMG_2.HEIC": b"fourth",
}
LEFT_BEHIND = ("notes.txt", ".git/x.png", "images/.thumb.png", "model.bin", "database.db", "cloud.ply", "images/a.DNG")


def write(root: Path) -> Path:
    for name, content in {**FILES, **dict.fromkeys(LEFT_BEHIND, b"no")}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_a_folder_is_packed_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    folders.pack(str(write(tmp_path / "fox")), str(path))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(FILES)
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert photograph_names(path, Limits()) == ("IMG_2.HEIC", "images/a.png", "images/b.JPG", "images/ä.webp")


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "fox")
    second = tmp_path / "copy" / "other name"
    shutil.copytree(first, second)
    for number, path in enumerate(sorted(second.rglob("*"))):
        os.utime(path, (number, number))
        if path.is_file():
            path.chmod(0o600)
    for folder, name in ((first, "a"), (second, "b")):
        folders.pack(str(folder), str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_links_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    fox = write(tmp_path / "fox")
    (fox / "out.png").symlink_to(tmp_path / "secret.png")
    (fox / "broken.png").symlink_to(tmp_path / "nowhere.png")
    (fox / "in.png").symlink_to(fox / "images" / "a.png")
    assert set(folders.found(str(fox))) == {*FILES, "in.png"}


def test_a_folder_without_photographs_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "transforms.json").write_bytes(b"{}")
    with pytest.raises(ScenecastError, match="holds no photographs") as refused:
        folders.pack(str(tmp_path / "empty"), str(tmp_path / "a"))
    assert ".png" in refused.value.remedy and not (tmp_path / "a").exists()
    monkeypatch.setattr(folders, "FILES_MAX", 5)
    with pytest.raises(ScenecastError, match="more than 5 files"):
        folders.found(str(write(tmp_path / "fox")))


def test_what_is_packed_is_what_the_bridge_counts_as_a_photograph() -> None:
    assert (folders.PICTURES, folders.FILMS) == (PICTURES, FILMS)


def test_a_folder_is_uploaded_once_and_its_zip_removed(tmp_path: Path) -> None:
    fox = write(tmp_path / "fox")
    with FakeBridge() as bridge, connect(bridge.url, bridge.token) as client:
        row = client.upload(fox)
        data = bytes(bridge.uploads[row.digest])
        assert row.digest == hashlib.sha256(data).hexdigest()
        assert zipfile.ZipFile(io.BytesIO(data)).read("images/a.png") == FILES["images/a.png"]
        again = client.start_upload(fox)
        client.drive(lambda: again.done, 120, "the second upload")
        assert again.skipped and again.name == "fox"
        assert os.listdir(os.path.dirname(client.protocol.spool.new())) == []
        late = client.start_upload(fox)
    late.fail(ScenecastError("the client is closed"))  # its zip went with the spool
    assert late.done


def test_a_folder_of_camera_raw_alone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.CR3").write_bytes(b"")
    with pytest.raises(ScenecastError, match="camera raw files alone") as refused:
        folders.pack(str(tmp_path), str(tmp_path / "packed"))
    assert "JPEG" in str(refused.value.remedy)


def test_a_film_alone_is_a_capture(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "walk.mov").write_bytes(b"film")
    folders.pack(str(tmp_path / "in"), str(tmp_path / "packed"))
    assert photograph_names(tmp_path / "packed", Limits()) == ()
