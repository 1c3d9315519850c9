"""Captures in all their dialects, whole and broken."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.radiance.archive import CaptureError
from generators.radiance.capture import read_capture, upright
from generators.radiance.photographs import Photograph, load_photographs
from generators.radiance.transforms_json import Listed
from tests.generators.radiance.captures import FLIP, png, transforms, write_colmap, write_folder
from tests.generators.radiance.scenes import SHARED, photographs_of, textured_room

VIEWS = photographs_of(textured_room(600), 5, width=24, height=20)


def poses_of(path: Path) -> list[Any]:
    return [frame.world_from_camera for frame in read_capture(path).frames]


def assert_same_poses(path: Path, views: list[Photograph]) -> None:
    for got, view in zip(poses_of(path), views, strict=True):
        np.testing.assert_allclose(got, np.linalg.inv(view.camera.camera_from_world), atol=1e-6)


def test_folder_of_the_plain_dialect(tmp_path: Path) -> None:
    capture = read_capture(write_folder(tmp_path / "scene", VIEWS))
    assert [frame.file for frame in capture.frames] == [f"images/{view.name}" for view in VIEWS]
    assert capture.skipped == () and capture.kind == "transforms.json"
    assert_same_poses(tmp_path / "scene", VIEWS)
    photographs, unreadable = load_photographs(capture, longest_side_px=24)
    assert unreadable == []
    for got, view in zip(photographs, VIEWS, strict=True):
        assert np.array_equal(got.pixels, view.pixels) and got.alpha is None and got.mask is None
        assert (got.camera.fx, got.camera.cx, got.camera.width) == pytest.approx((view.camera.fx, 12.0, 24))


def test_zip_with_a_folder_on_top_reads_the_same(tmp_path: Path) -> None:
    write_folder(tmp_path / "scene", VIEWS)
    archive = tmp_path / "scene.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted((tmp_path / "scene").rglob("*.*")):
            file.write(path, f"my capture/{path.relative_to(tmp_path / 'scene')}")
    assert_same_poses(archive, VIEWS)
    pixels = [photograph.pixels for photograph in load_photographs(read_capture(archive), longest_side_px=24)[0]]
    assert all(np.array_equal(got, view.pixels) for got, view in zip(pixels, VIEWS, strict=True))


@pytest.mark.parametrize("text", [True, False])
def test_colmap_models(tmp_path: Path, text: bool) -> None:
    points = np.random.default_rng(0).normal(size=(12, 3))
    capture = read_capture(write_colmap(tmp_path / "scene", VIEWS, points, text=text))
    assert capture.kind == "COLMAP" and len(capture.frames) == len(VIEWS)
    turn = capture.neutral_from_source
    np.testing.assert_allclose(turn[:3, :3] @ turn[:3, :3].T, np.eye(3), atol=1e-9)
    for frame, view in zip(capture.frames, VIEWS, strict=True):
        expected = turn @ np.linalg.inv(view.camera.camera_from_world)
        np.testing.assert_allclose(frame.world_from_camera, expected, atol=1e-6)
    assert capture.points is not None
    np.testing.assert_allclose(capture.points.positions, points @ turn[:3, :3].T, atol=1e-5)
    np.testing.assert_allclose(capture.points.colours[0], [1.0, 128 / 255, 0.0], atol=1e-6)
    photographs, _ = load_photographs(capture, longest_side_px=24)
    assert np.array_equal(photographs[0].pixels, VIEWS[0].pixels)


def test_colmap_worlds_are_set_upright() -> None:
    level = [np.linalg.inv(view.camera.camera_from_world) for view in VIEWS]
    tilt = np.eye(4)
    tilt[:3, :3] = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    tilt[:3, :3] *= np.sign(np.linalg.det(tilt[:3, :3]))
    turn = upright([Listed("x", tilt @ pose) for pose in level])
    up = turn[:3, :3] @ tilt[:3, :3] @ np.array([0.0, 1.0, 0.0])
    assert up[1] > 0.97  # the views look down a little, all from one side
    assert np.linalg.det(turn[:3, :3]) == pytest.approx(1)


def changed(**values: Any) -> dict[str, Any]:
    document = transforms(VIEWS)
    for key, value in values.items():
        if value is None:
            document.pop(key, None)
        else:
            document[key] = value
    return document


def per_frame() -> dict[str, Any]:
    document = transforms(VIEWS)
    shared = {key: document.pop(key) for key in ("fl_x", "fl_y", "cx", "cy", "w", "h")}
    document["frames"] = [{**frame, **shared} for frame in document["frames"]]
    return document


def without_extension() -> dict[str, Any]:
    document = transforms(VIEWS)
    for frame in document["frames"]:
        frame["file_path"] = "./" + frame["file_path"].removesuffix(".png")
    return document


ANGLE = 2 * float(np.arctan(12 / VIEWS[0].camera.fx))


def with_paths(change: Callable[[str], str]) -> dict[str, Any]:
    document = transforms(VIEWS)
    for frame in document["frames"]:
        frame["file_path"] = change(frame["file_path"])
    return document


DIALECTS = {
    "folders of Windows": with_paths(lambda name: "C:\\Users\\me\\scan\\" + name.replace("/", "\\")),
    "folders of another machine": with_paths(lambda name: "/home/me/scan/" + name),
    "from below": with_paths(lambda name: "../../" + name.removesuffix(".png")),
    "one radial number": changed(camera_model="SIMPLE_RADIAL", k1=0.0),
    "intrinsics by frame": per_frame(),
    "angle instead of focal length": changed(fl_x=None, fl_y=None, camera_angle_x=ANGLE),
    "size left to be looked up": changed(w=None, h=None, cx=None, cy=None),
    "one focal length": changed(fl_y=None),
    "no extension": without_extension(),
    "half-size numbers": changed(w=12, h=10, fl_x=VIEWS[0].camera.fx / 2, fl_y=VIEWS[0].camera.fy / 2, cx=6.0, cy=5.0),
    "3 rows": {
        **transforms(VIEWS),
        "frames": [{**f, "transform_matrix": f["transform_matrix"][:3]} for f in transforms(VIEWS)["frames"]],
    },
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_say_the_same(tmp_path: Path, dialect: str) -> None:
    path = write_folder(tmp_path / "scene", VIEWS, DIALECTS[dialect])
    assert_same_poses(path, VIEWS)
    photographs, unreadable = load_photographs(read_capture(path), longest_side_px=24)
    assert not unreadable
    camera, expected = photographs[0].camera, VIEWS[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(
        (expected.fx, expected.fy, expected.cx, expected.cy)
    )


def test_applied_transform_is_recorded_and_not_undone(tmp_path: Path) -> None:
    applied = [[0, 1, 0, 0.5], [1, 0, 0, 0], [0, 0, -1, 0]]
    path = write_folder(tmp_path / "scene", VIEWS, changed(applied_transform=applied))
    assert_same_poses(path, VIEWS)
    recorded = read_capture(path).source_from_original
    assert recorded is not None and recorded[:3].tolist() == applied


def test_missing_and_twin_frames_are_named(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    (path / "images" / VIEWS[1].name).unlink()
    (path / "images" / VIEWS[3].name).write_bytes(png(VIEWS[0]))
    capture = read_capture(path)
    assert len(capture.frames) == 3
    assert [(s.name, s.reason) for s in capture.skipped] == [
        ("images/view1.png", "the file is missing"),
        ("images/view3.png", "the same photograph as images/view0.png"),
    ]


def test_unreadable_photographs_are_named(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    (path / "images" / VIEWS[1].name).write_bytes(b"not a picture")
    (path / "images" / VIEWS[2].name).write_bytes(png(VIEWS[2])[:-300])
    photographs, unreadable = load_photographs(read_capture(path), longest_side_px=24)
    assert [p.name for p in photographs] == ["images/view0.png", "images/view3.png", "images/view4.png"]
    assert [s.name for s in unreadable] == ["images/view1.png", "images/view2.png"]
    assert unreadable[0].reason.startswith("not a readable picture")


def test_a_photograph_of_another_shape_is_named(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    (path / "images" / VIEWS[1].name).write_bytes(png(replace(VIEWS[1], pixels=VIEWS[1].pixels[:, :12])))
    _, unreadable = load_photographs(read_capture(path), longest_side_px=24)
    assert unreadable[0].reason == "is 24×12, but its camera 24×20: another shape"


BROKEN: dict[str, tuple[str, str]] = {
    "not JSON": ("{", "is not JSON"),
    "a list": ("[]", "lists no frames"),
    "no frames": ('{"frames": []}', "lists no frames"),
    "no path": ('{"frames": [{}]}', "frame 0: expected an object with file_path"),
    "no pose": ('{"frames": [{"file_path": "a.png"}]}', "transform_matrix: expected 3×4 or 4×4"),
    "words for numbers": (
        '{"frames": [{"file_path": "a.png", "transform_matrix": [["a"]]}]}',
        "transform_matrix: expected 3×4 or 4×4 numbers",
    ),
    "a mirror": (
        json.dumps({"frames": [{"file_path": "a", "transform_matrix": np.diag([-1.0, 1, 1, 1]).tolist()}]}),
        "mirrors or shears",
    ),
    "a way out": (
        json.dumps({"frames": [{"file_path": "../../etc/passwd", "transform_matrix": np.eye(4).tolist()}]}),
        "etc/passwd: the file is missing",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_lists_are_refused_in_words(tmp_path: Path, case: str) -> None:
    content, words = BROKEN[case]
    (tmp_path / "transforms.json").write_text(content)
    with pytest.raises(CaptureError, match=words):
        read_capture(tmp_path)


def test_a_folder_without_poses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(VIEWS[0]))
    with pytest.raises(CaptureError, match=r"holds no camera poses; expected transforms\.json or a COLMAP model"):
        read_capture(tmp_path)


def test_fewer_than_three_photographs_are_refused(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    for view in VIEWS[:3]:
        (path / "images" / view.name).unlink()
    with pytest.raises(CaptureError, match="2 of 5 photographs can be used, at least 3 are needed"):
        read_capture(path)


def test_poses_keep_their_handedness(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    for pose in poses_of(path):
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    assert np.allclose(FLIP @ FLIP, np.eye(4))


def test_the_fox() -> None:
    path = SHARED / "fox"
    if not path.exists():
        pytest.skip("needs the fox photographs")
    capture = read_capture(path)
    assert len(capture.frames) == 50 and len(capture.skipped) == 17
    assert all(one.reason == "the file is missing" for one in capture.skipped)
    assert not (path / capture.skipped[0].name).exists()
    photographs, unreadable = load_photographs(capture, longest_side_px=96)
    assert unreadable == [] and photographs[0].pixels.shape == (3, 96, 54)
    assert photographs[0].mask is not None and photographs[0].mask.mean() > 0.9
    ups = np.array([-photograph.camera.camera_from_world[1, :3] for photograph in photographs])
    assert ups.mean(0)[1] > 0.5  # the camera was held upright, and neutral up is +Y
