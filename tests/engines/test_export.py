"""Whole exports: the right files, well named, whole or absent, the same each time."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engines.assets import Asset, Clip, Image, Material, Mesh, ScenePlan, Sound, Splats
from engines.conventions import Host
from engines.errors import FormatUnavailable, UnknownFormat, UnsuitableAsset
from engines.export import chosen_format, export, file_stem
from engines.field_lattice import field_from_grid
from engines.formats import png, registry
from engines.formats.registry import Limits, decoder, format_named
from engines.hosts import HOSTS, host
from engines.kinds import ColourSpace, Kind, MapName
from engines.packing import textures
from tests.engines.neutral_assets import image, material

FLAT = np.zeros((2, 2, 2), np.float32)
ASSETS: list[Asset] = [
    image(1, 8),
    material(8),
    Clip(np.zeros((3, 8, 8, 3), np.uint8), name="Loop"),
    field_from_grid(FLAT + 9, np.zeros((2, 2, 2, 1, 3), np.float32), low_m=(0, 0, 0), pitch_m=1.0),
    Sound(np.zeros((10, 1), np.float32)),
    ScenePlan(name="Room"),
    Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.uint32), material=material(4), name="Shard"),
    Splats(
        np.eye(3, dtype=np.float32),
        np.tile(np.array([1, 0, 0, 0], np.float32), (3, 1)),
        np.full((3, 3), 0.1, np.float32),
        np.full(3, 0.5, np.float32),
        np.zeros((3, 1, 3), np.float32),
    ),
]
rows = pytest.mark.parametrize("row", HOSTS.values(), ids=HOSTS)


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@rows
@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: str(asset.kind))
def test_every_kind_for_every_host(asset: Asset, row: Host, tmp_path: Path) -> None:
    files = export(asset, row, tmp_path, provenance={"seed": 1})
    found = bytes_in(tmp_path)
    assert sorted(file.file for file in files) == sorted(found)
    for file in files:
        assert file.bytes == len(found[file.file])
        assert len(file.file) <= 80
    again = tmp_path / "again"
    again.mkdir()
    assert export(asset, row, again, provenance={"seed": 1}) == files
    assert bytes_in(again) == found


@rows
def test_the_description_tells_a_client_all_it_needs(row: Host, tmp_path: Path) -> None:
    source = material(8, opacity=True)
    files = export(source, row, tmp_path, provenance={"prompt": "wet bricks"})
    description = files[-1]
    assert (description.role, description.file) == ("description", "wet_bricks_material.json")
    told = json.loads((tmp_path / description.file).read_text("utf-8"))
    assert told["tile_m"] == 1.5
    assert told["tile_units"] == pytest.approx(1.5 / row.unit_m)
    assert told["height_units"] == pytest.approx(0.03 / row.unit_m)
    assert (told["host"], told["normal_y"], told["tileable"]) == (row.name, row.normal_y, True)
    assert told["provenance"] == {"prompt": "wet bricks"}
    expected = {texture.role: texture for texture in textures(source, row)}
    assert [entry["role"] for entry in told["maps"]] == list(expected)
    for entry, file in zip(told["maps"], files, strict=False):
        texture = expected[entry["role"]]
        assert (entry["file"], entry["colour_space"]) == (file.file, file.colour_space)
        assert entry["channels"] == texture.channels
        assert entry["size_px"] == [8, 8]
        codes = decoder(format_named("png"))(tmp_path / entry["file"], Limits())
        assert isinstance(codes, Image)
        if entry["role"] != MapName.HEIGHT:
            np.testing.assert_array_equal(codes.pixels, texture.image.pixels)


def test_heights_are_deep_and_the_rest_is_not(tmp_path: Path) -> None:
    files = export(material(8, np.float32), host("unreal"), tmp_path)
    for file in files[:-1]:
        depth = (tmp_path / file.file).read_bytes()[24]
        assert depth == (16 if file.role == MapName.HEIGHT else 8)


@pytest.mark.parametrize("name", ["png", "jpeg", "exr"])
def test_a_material_comes_in_the_format_asked_for(name: str, tmp_path: Path) -> None:
    files = export(material(8), host("blender"), tmp_path, formats={Kind.MATERIAL: name})
    row = format_named(name)
    assert {file.media_type for file in files[:-1]} == {row.media_type}
    light = ColourSpace.LINEAR if name == "exr" else ColourSpace.SRGB
    assert {file.role: file.colour_space for file in files}["base_color"] is light
    assert {file.role: file.colour_space for file in files}["normal"] is ColourSpace.DATA


def test_a_format_the_host_does_not_take_is_refused_with_those_it_does(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match="wav") as refused:
        export(image(), host("web"), tmp_path, formats={Kind.IMAGE: "wav"})
    assert refused.value.remedy == "use one of png, jpeg"
    assert not list(tmp_path.iterdir())


def test_the_next_format_is_taken_when_a_codec_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"av"}
    monkeypatch.setattr("engines.export.missing_need", lambda row: next(iter(absent & set(row.needs)), ""))
    assert chosen_format(Kind.CLIP, host("unity")).name == "png_sequence"
    with pytest.raises(FormatUnavailable, match="av"):
        chosen_format(Kind.CLIP, host("unity"), "mp4")
    absent.add("PIL")
    with pytest.raises(FormatUnavailable, match="needs av, PIL") as refused:
        chosen_format(Kind.CLIP, host("unity"))
    assert "pip install av pillow" in refused.value.remedy


def test_a_host_without_a_kind_says_so() -> None:
    bare = replace(host("web"), formats={})
    with pytest.raises(UnknownFormat, match="sound"):
        chosen_format(Kind.SOUND, bare)


def test_nothing_is_left_behind_when_an_export_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> int:
        raise OSError("disk full")

    written = []
    real = png.write_png

    def second_fails(*args: Any, **options: Any) -> int:
        written.append(args)
        return failing() if len(written) == 3 else real(*args, **options)

    monkeypatch.setattr(png, "write_png", second_fails)
    with pytest.raises(OSError, match="disk full"):
        export(material(8), host("unreal"), tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UnsuitableAsset):
        export(Material({}), host("unreal"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_second_export_replaces_the_first(tmp_path: Path) -> None:
    export(image(1), host("web"), tmp_path, formats={Kind.IMAGE: "png"})
    [file] = export(replace(image(2), name="picture 1"), host("web"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [file.file]
    decoded = png.decode(tmp_path / file.file, Limits())
    np.testing.assert_array_equal(decoded.pixels, image(2).pixels)


@given(st.text(max_size=300))
@example("CON")
@example("nul.txt")
@example("../../etc/passwd")
@example("a" * 300)
def test_names_are_safe_on_every_platform(name: str) -> None:
    stem = file_stem(name)
    assert 0 < len(stem) <= 80 - len("_metallic_smoothness_0001.png")
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert stem.split(".")[0].lower() not in {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10))}
    assert file_stem(stem) in (stem, stem.rstrip("_") + "_", stem.strip("_"))


def test_names_of_artists_stay_readable() -> None:
    assert file_stem("Wet mossy/red bricks (2)") == "wet_mossy_red_bricks_2"
    assert file_stem("Ziegel, rötlich") == "ziegel_rotlich"
    assert file_stem("") == "asset"
    assert file_stem("лампа") == "asset"


@pytest.mark.parametrize(
    ("name", "file"),
    [("rock.glb", "rock.png"), ("Holz.JPG", "holz.png"), ("v1.2 final", "v1_2_final.png"), ("scan.webp", "scan.png")],
)
def test_a_file_is_not_named_after_the_format_it_came_in(name: str, file: str, tmp_path: Path) -> None:
    picture = Image(np.zeros((2, 2, 3), np.uint8), name=name)
    assert export(picture, host("python"), tmp_path)[0].file == file


def test_export_runs_in_another_process(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        names = [file.file for file in pool.submit(export, material(8), host("unity"), tmp_path).result()]
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())


def test_provenance_that_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset, match="provenance"):
        export(image(), host("web"), tmp_path, provenance={"value": float("nan")})


def test_every_format_a_host_names_is_known() -> None:
    named = {name for row in HOSTS.values() for names in row.formats.values() for name in names}
    assert named <= set(registry.formats())
