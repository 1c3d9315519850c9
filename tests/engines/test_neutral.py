"""Assets on disk: written, listed, read back, and refused when damaged."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from engines import neutral
from engines.assets import Asset, Image, Mesh, Sound
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.export import export
from engines.formats.registry import Limits
from engines.hosts import host
from engines.kinds import ColourSpace, Kind
from engines.manifest import Manifest
from tests.engines.neutral_assets import any_asset, image, material, same


def stored(asset: Asset, folder: Path, provenance: dict[str, Any] | None = None) -> Manifest:
    """Write an asset and keep every part under its digest, as a store does."""
    draft = neutral.write(asset, folder)
    digests = {}
    for part in draft.parts:
        path = folder / part.file
        assert path.stat().st_size == part.bytes
        digests[part.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        path.rename(folder / digests[part.name])
    return neutral.manifest_of(draft, digests, provenance or {})


@settings(max_examples=150, deadline=None)
@given(any_asset())
def test_every_asset_comes_back_as_it_was(asset: Asset) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = stored(asset, folder, {"prompt": "wet bricks", "seed": 3})
        again = neutral.manifest_from_bytes(neutral.manifest_bytes(manifest))
        assert neutral.manifest_bytes(again) == neutral.manifest_bytes(manifest)
        assert again.provenance == {"prompt": "wet bricks", "seed": 3}
        same(neutral.read(again, lambda digest: folder / digest), asset)


@settings(max_examples=60, deadline=None)
@given(any_asset())
def test_apart_and_together_is_the_same(asset: Asset) -> None:
    meta, parts = neutral.parts_from_asset(asset)
    same(neutral.asset_from_parts(asset.kind, meta, parts, asset.name), asset)


def test_arrays_are_plain_npy_files_in_any_layout(tmp_path: Path) -> None:
    tall = np.arange(24, dtype=np.float32).reshape(4, 6)
    for samples in (tall, np.asfortranarray(tall), tall[:, ::-1], tall.astype(">f4"), tall[::2]):
        draft = neutral.write(Sound(samples), tmp_path)
        back = np.load(tmp_path / draft.parts[0].file)
        assert back.dtype == np.dtype("<f4")
        assert back.flags.c_contiguous
        np.testing.assert_array_equal(back, samples)


def test_blocks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neutral, "_BLOCK_BYTES", 64)
    samples = np.random.default_rng(1).random((1000, 2), np.float32)
    draft = neutral.write(Sound(samples), tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / draft.parts[0].file), samples)


def test_reading_maps_and_does_not_load(tmp_path: Path) -> None:
    manifest = stored(image(0, 64), tmp_path)
    picture = neutral.read(manifest, lambda digest: tmp_path / digest)
    assert isinstance(picture, Image)
    assert isinstance(picture.pixels.base, np.memmap)
    assert not picture.pixels.flags.writeable


def test_equal_assets_have_equal_digests_and_provenance_counts(tmp_path: Path) -> None:
    one, other = stored(material(), tmp_path, {"seed": 1}), stored(material(), tmp_path, {"seed": 1})
    assert neutral.manifest_digest(one) == neutral.manifest_digest(other)
    assert neutral.manifest_digest(replace(one, provenance={"seed": 2})) != neutral.manifest_digest(one)


def test_mesh_parts_nest_by_name(tmp_path: Path) -> None:
    three = np.eye(3, dtype=np.float32)
    mesh = Mesh(three, np.array([[0, 1, 2]], np.uint32), material=material(2))
    names = [part.name for part in neutral.write(mesh, tmp_path).parts]
    assert names == sorted(names)
    assert "material/base_color" in names
    assert "positions" in names


@pytest.mark.parametrize(
    "asset",
    [
        Image(np.zeros((2, 2, 5), np.uint8)),
        Image(np.zeros((2, 2), np.uint8)),
        Image(np.zeros((2, 2, 3), np.float64)),
        Image(np.array([[[object()]]])),
        Sound(np.zeros(8, np.float32)),
        Mesh(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int32)),
        Mesh(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.uint32), uvs=np.zeros((4, 2), np.float32)),
    ],
    ids=lambda asset: str(asset.kind),
)
def test_an_asset_that_breaks_its_form_is_refused(asset: Asset, tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset, match="expected"):
        neutral.write(asset, tmp_path)


def test_a_manifest_holds_only_what_json_can(tmp_path: Path) -> None:
    manifest = stored(image(), tmp_path)
    for value in (float("nan"), {1: 2}, b"bytes", object()):
        with pytest.raises(UnsuitableAsset):
            neutral.manifest_bytes(replace(manifest, provenance={"value": value}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b" ",
        lambda data: b"",
        lambda data: b"[]",
        lambda data: b"[" * 5000,
        lambda data: data.decode().encode("utf-16"),
        lambda data: data.replace(b'"version":1', b'"version":true'),
        lambda data: data.replace(b'"version":1', b'"version":2'),
        lambda data: data.replace(b'"kind":"image"', b'"kind":"virus"'),
        lambda data: data.replace(b'"kind":"image"', b'"kind":[]'),
        lambda data: data.replace(b'"name":"picture 0"', b'"name":7'),
        lambda data: data.replace(b'"provenance":{}', b'"provenance":{"x":NaN}'),
        lambda data: data.replace(b'"provenance":{}', b'"provenance":{"a":1,"a":1}'),
        lambda data: data.replace(b'"pixels":', b'"../pixels":'),
        lambda data: data.replace(b'"shape":[8,', b'"shape":[-8,'),
        lambda data: data.replace(b'"shape":[8,8,3]', b'"shape":7'),
        lambda data: data.replace(b'"digest":"', b'"digest":"../'),
        lambda data: data.replace(b'"bytes":', b'"bytes":-'),
        lambda data: data.replace(b'"dtype":"uint8"', b'"dtype":null'),
        lambda data: data.replace(b'"dtype":"uint8",', b""),
    ],
)
def test_a_damaged_manifest_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    data = neutral.manifest_bytes(stored(image(), tmp_path))
    assert damage(data) != data
    with pytest.raises(DamagedFile):
        neutral.manifest_from_bytes(damage(data))


def test_damaged_parts_are_refused(tmp_path: Path) -> None:
    manifest = stored(image(0, 8), tmp_path)
    path = tmp_path / manifest.parts[0].digest
    whole = path.read_bytes()
    pickled = tmp_path / "pickled.npy"
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    for data in (whole[:-1], whole + b"x", b"", b"\x93NUMPY", whole.replace(b"|u1", b"<f4"), pickled.read_bytes()):
        path.write_bytes(data)
        with pytest.raises(DamagedFile):
            neutral.read(manifest, lambda digest: tmp_path / digest)


def test_a_manifest_that_lies_about_its_form_is_refused(tmp_path: Path) -> None:
    manifest = stored(image(), tmp_path)
    changes: list[dict[str, Any]] = [
        {"kind": Kind.CLIP},
        {"meta": {}},
        {"meta": {"colour_space": "blue"}},
        {"parts": ()},
    ]
    for change in changes:
        with pytest.raises(DamagedFile):
            neutral.read(replace(manifest, **change), lambda digest: tmp_path / digest)


def test_an_uploaded_picture_is_judged_by_content(tmp_path: Path) -> None:
    source = image(3, 16, 3)
    export(source, host("python"), tmp_path)
    upload = tmp_path / "holiday.glb"
    shutil.move(tmp_path / "picture_3.png", upload)
    manifest = neutral.manifest_for_file(upload, "0" * 64, name="holiday")
    assert (manifest.kind, manifest.parts[0].media_type) == (Kind.IMAGE, "image/png")
    same(neutral.read(manifest, lambda _: upload), replace(source, name="holiday"))
    as_data = replace(manifest, meta={**manifest.meta, "colour_space": "data"})
    picture = neutral.read(as_data, lambda _: upload)
    assert isinstance(picture, Image)
    assert picture.colour_space is ColourSpace.DATA
    with pytest.raises(DamagedFile, match="image/png"):
        neutral.manifest_for_file(upload, "0" * 64, media_type="image/jpeg")
    with pytest.raises(TooLarge):
        neutral.read(manifest, lambda _: upload, Limits(max_pixels=255))


def test_a_picture_may_stand_for_an_array(tmp_path: Path) -> None:
    manifest = stored(image(3, 16, 3), tmp_path)
    [file] = export(image(3, 16, 3), host("python"), tmp_path)
    part = replace(manifest.parts[0], media_type="image/png", dtype="", shape=())
    picture = neutral.read(replace(manifest, parts=(part,)), lambda _: tmp_path / file.file)
    same(picture, image(3, 16, 3))


def test_unknown_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.png"
    for content in (b"", b"MZ\x90", b"\x80\x04\x95pickle", b"\x00\x00\x00\x18ftypheic"):
        path.write_bytes(content)
        with pytest.raises(DamagedFile, match="none of the formats"):
            neutral.manifest_for_file(path, "0" * 64)
