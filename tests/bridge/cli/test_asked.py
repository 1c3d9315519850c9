"""What is asked of a generator is checked before anything runs, and called as the person called it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from bridge.cli import asked
from bridge.cli.console import UsageError
from python_client import Client, Refused
from python_client.messages import AssetRow, Generator, Port


def row(name: str, *ports: Port, gives: tuple[str, ...] = ("splats",)) -> Generator:
    return Generator(id=name, title=name, promise="", gives=list(gives), takes=list(ports))


MESH = Port("mesh", ["mesh", "material"], False, "The surface.")
PHOTOS = Port("photos", ["capture"], True, "")
SPLATS = row("splats.from_mesh", MESH, PHOTOS)


@dataclass
class Uploads:
    """Only what is used of a client: its catalog, and uploads that are refused or taken."""

    generators: list[Generator] = field(default_factory=lambda: [SPLATS, row("material.procedural")])
    refusal: str = ""
    taken: list[Path] = field(default_factory=list)

    def upload(self, path: Path) -> AssetRow:
        if self.refusal:
            raise Refused(self.refusal, code="request.input")
        self.taken.append(path)
        return AssetRow("d" * 64, "mesh", "rock")


def of(uploads: Uploads) -> Client:
    return cast(Client, uploads)


def test_a_misspelt_generator_is_answered_with_the_nearest() -> None:
    assert asked.generator(of(Uploads()), "material.procedural").id == "material.procedural"
    for name in ("material.procedurl", "material"):
        with pytest.raises(UsageError) as wrong:
            asked.generator(of(Uploads()), name)
        assert "did you mean material.procedural" in wrong.value.remedy
    with pytest.raises(UsageError) as wrong:
        asked.generator(of(Uploads()), "qqqqq")
    assert "scenecast generators" in wrong.value.remedy


def test_a_format_of_a_kind_that_is_not_made_is_refused() -> None:
    asked.check_formats(SPLATS, {"splats": "spz"})
    with pytest.raises(UsageError, match="makes no mesh"):
        asked.check_formats(SPLATS, {"mesh": "glb"})


def test_a_misspelt_parameter_is_refused_before_files_are_sent() -> None:
    noise = Generator("image.noise", "", "", ["image"], params={"properties": {"size_px": {}, "kind": {}}})
    asked.check_names(noise, ["kind", "size_px"])
    for name, remedy in (("sizepx", "did you mean size_px?"), ("qqq", "its parameters are size_px, kind")):
        with pytest.raises(UsageError, match=f"no parameter '{name}'") as wrong:
            asked.check_names(noise, ["kind", name])
        assert wrong.value.remedy == remedy


def test_files_are_uploaded_and_digests_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "Stein mit Löchern.glb"
    path.write_bytes(b"glTF")
    uploads = Uploads()
    assert asked.digests(of(uploads), SPLATS, {"mesh": str(path), "photos": "a" * 64}) == {
        "mesh": "d" * 64,
        "photos": "a" * 64,
    }
    assert uploads.taken == [path]


@pytest.mark.parametrize(
    ("inputs", "words", "remedy"),
    [
        ({"msh": "x"}, "no input 'msh'", "did you mean mesh?"),
        ({}, "needs mesh (mesh or material)", "-i mesh=FILE"),
        ({"mesh": "rokc.glb"}, "no file 'rokc.glb'", "rock.glb"),
        ({"mesh": "nowhere/rock.glb"}, "no file", "no folder 'nowhere'"),
        ({"mesh": "empty.glb"}, "empty.glb is empty", "again"),
        ({"mesh": "lod1"}, "lod1 is a folder; mesh takes mesh or material", "such as lod1/rock.ply"),
        ({"mesh": "hollow"}, "hollow is a folder", "name a file"),
    ],
)
def test_wrong_files_are_named(
    inputs: dict[str, str], words: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rock.glb").write_bytes(b"glTF")
    Path("empty.glb").touch()
    Path("lod1").mkdir()
    Path("lod1", "rock.ply").write_bytes(b"ply")
    Path("hollow").mkdir()
    with pytest.raises(UsageError) as wrong:
        asked.digests(of(Uploads()), SPLATS, inputs)
    assert words in wrong.value.message and remedy in wrong.value.remedy


def test_folders_are_taken_where_photographs_are(tmp_path: Path) -> None:
    uploads = Uploads()
    asked.digests(of(uploads), SPLATS, {"mesh": "a" * 64, "photos": str(tmp_path)})
    assert uploads.taken == [tmp_path]


def test_a_refused_file_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(UsageError) as wrong:
        asked.digests(of(Uploads(refusal=f"{'5' * 64} is none of the formats")), SPLATS, {"mesh": str(path)})
    assert wrong.value.message == f"{path} is none of the formats"
    with pytest.raises(UsageError, match=r"notes\.txt: too long"):
        asked.digests(of(Uploads(refusal="too long")), SPLATS, {"mesh": str(path)})


def test_where_results_go_is_tried_first(tmp_path: Path) -> None:
    assert asked.folder_for_results(tmp_path / "new" / "deeper").is_dir()
    assert not list((tmp_path / "new" / "deeper").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        asked.folder_for_results(tmp_path / "file")
