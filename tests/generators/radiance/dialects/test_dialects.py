"""Captures as telephones and photogrammetry programs write them: known points must lie where they were seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.radiance.archive import CaptureError, FolderSource
from generators.radiance.capture import has_poses, read_capture, unread_poses
from generators.radiance.dialects.photogrammetry import turned
from generators.radiance.photographs import Photograph, load_photographs
from tests.generators.radiance.captures import FLIP, Z_UP_FROM_NEUTRAL, png, quaternion, write_colmap
from tests.generators.radiance.scenes import photographs_of, textured_room

VIEWS = photographs_of(textured_room(600), 5, width=24, height=20)
CAMERA = VIEWS[0].camera
POINTS = np.random.default_rng(5).uniform(-0.5, 0.5, (40, 3))
Write = Callable[[Path], None]


def pose(view: Photograph) -> np.ndarray:
    """World from camera in neutral axes, with OpenCV's camera axes."""
    return np.asarray(np.linalg.inv(view.camera.camera_from_world))


def put(root: Path, name: str, content: bytes | str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def polycam(root: Path) -> None:
    for index, view in enumerate(VIEWS):
        arkit = pose(view) @ FLIP
        values: dict[str, Any] = {f"t_{r}{c}": arkit[r, c] for r in range(3) for c in range(4)}
        values |= {"fx": CAMERA.fx, "fy": CAMERA.fy, "cx": CAMERA.cx, "cy": CAMERA.cy, "width": 24, "height": 20}
        put(root, f"keyframes/corrected_cameras/{index}77.json", json.dumps(values))
        put(root, f"keyframes/cameras/{index}77.json", json.dumps({**values, "t_03": 99}))
        put(root, f"keyframes/corrected_images/{index}77.png", png(view))
        put(root, f"keyframes/images/{index}77.png", png(VIEWS[0]))


def record3d(root: Path) -> None:
    poses = []
    for index, view in enumerate(VIEWS):
        arkit = pose(view) @ FLIP
        w, x, y, z = quaternion(arkit[:3, :3])
        poses.append([x, y, z, w, *arkit[:3, 3].tolist()])
        put(root, f"scan/rgbd/{index}.png", png(view))
        put(root, f"scan/rgbd/{index}.depth", b"lzfse")
    k = [CAMERA.fx, 0, 0, 0, CAMERA.fy, 0, CAMERA.cx, CAMERA.cy, 1]
    put(root, "scan/metadata", json.dumps({"w": 24, "h": 20, "K": k, "poses": poses, "fps": 60}))


def scanner_app(root: Path) -> None:
    k = [CAMERA.fx, 0, CAMERA.cx, 0, CAMERA.fy, CAMERA.cy, 0, 0, 1]
    for index, view in enumerate(VIEWS):
        values = {"cameraPoseARFrame": (pose(view) @ FLIP).ravel().tolist(), "intrinsics": k}
        put(root, f"frame_{index:05}.json", json.dumps(values))
        put(root, f"frame_{index:05}.png", png(view))
    put(root, "frame_00099.json", json.dumps({"cameraPoseARFrame": [0] * 16}))  # a pose without a picture
    put(root, "info.json", "{}")


def scannet(root: Path) -> None:
    def rows(matrix: np.ndarray) -> str:
        return "\n".join(" ".join(repr(float(v)) for v in row) for row in matrix)

    k = np.eye(4)
    k[0, 0], k[1, 1], k[0, 2], k[1, 2] = CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy
    put(root, "intrinsic/intrinsic_color.txt", rows(k))
    for index, view in enumerate([*VIEWS, VIEWS[0]]):
        lost = index == len(VIEWS)
        put(root, f"pose/{index}.txt", rows(np.full((4, 4), -np.inf) if lost else Z_UP_FROM_NEUTRAL @ pose(view)))
        put(root, f"color/{index}.png", png(view) + (b"\0" if lost else b""))


def angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Heading, pitch and roll in degrees of a world-from-camera rotation (east, north, up; OpenGL's camera axes)."""
    pitch = np.arcsin(rotation[2, 1])
    heading = np.arctan2(rotation[0, 1], rotation[1, 1])
    roll = np.arctan2(-rotation[2, 0], rotation[2, 2])
    return float(np.degrees(heading)), float(np.degrees(pitch)), float(np.degrees(roll))


def reality_capture(root: Path) -> None:
    lines = ["#name,x,y,alt,heading,pitch,roll,f,px,py,k1,k2,k3,k4,t1,t2"]
    for view in VIEWS:
        matrix = Z_UP_FROM_NEUTRAL @ pose(view) @ FLIP
        numbers = [*matrix[:3, 3], *angles(matrix[:3, :3]), CAMERA.fx * 36 / 24]
        lines.append(f"{view.name}," + ",".join(repr(float(v)) for v in numbers) + ",0,0,0,0,0,0,0,0")
        put(root, f"photos/{view.name}", png(view))
    put(root, "registration.csv", "\ufeff" + "\r\n".join(lines))


def metashape(root: Path) -> None:
    cameras = ""
    for index, view in enumerate(VIEWS):
        matrix = " ".join(repr(float(v)) for v in (pose(view)).ravel())
        label = Path(view.name).stem
        cameras += f'<camera id="{index}" sensor_id="3" label="{label}"><transform>{matrix}</transform></camera>'
        put(root, view.name, png(view))
    numbers = f"<f>{CAMERA.fx}</f><cx>{CAMERA.cx - 12}</cx><cy>{CAMERA.cy - 10}</cy>"
    put(
        root,
        "cameras.xml",
        '<?xml version="1.0"?><document version="2.0"><chunk label="a"><sensors><sensor id="3" type="frame">'
        f'<resolution width="24" height="20"/><calibration class="initial"><f>1</f></calibration>'
        f'<calibration type="frame" class="adjusted">{numbers}</calibration></sensor></sensors>'
        f'<cameras><group label="g">{cameras}</group><camera id="9" sensor_id="3" label="lost"/></cameras>'
        "</chunk></document>",
    )


WRITERS: dict[str, Write] = {
    "Polycam": polycam,
    "Record3D": record3d,
    "3D Scanner App": scanner_app,
    "ScanNet": scannet,
    "RealityCapture": reality_capture,
    "Metashape": metashape,
}


def seen(camera: Any, points: np.ndarray) -> np.ndarray:
    """Where a camera sees points of its world, in pixels."""
    local = points @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
    assert (local[:, 2] > 0).all()
    flat = local[:, :2] / local[:, 2:]
    return np.asarray(flat * (camera.fx, camera.fy) + (camera.cx, camera.cy))


@pytest.mark.parametrize("kind", WRITERS)
def test_known_points_lie_where_they_were_seen(tmp_path: Path, kind: str) -> None:
    WRITERS[kind](tmp_path)
    assert has_poses(FolderSource(tmp_path))
    capture = read_capture(tmp_path)
    assert capture.kind == kind and len(capture.frames) == len(VIEWS)
    photographs, unreadable = load_photographs(capture, longest_side_px=24)
    assert not unreadable
    turn = capture.neutral_from_source if kind == "Metashape" else np.eye(4)
    np.testing.assert_allclose(turn[:3, :3] @ turn[:3, :3].T, np.eye(3), atol=1e-9)
    moved = POINTS @ turn[:3, :3].T
    for got, view in zip(photographs, VIEWS, strict=True):
        assert np.array_equal(got.pixels, view.pixels)
        np.testing.assert_allclose(seen(got.camera, moved), seen(view.camera, POINTS), atol=1e-4)


def test_what_has_no_pose_is_named_and_units_are_known(tmp_path: Path) -> None:
    scannet(tmp_path / "a")
    metashape(tmp_path / "b")
    lost = read_capture(tmp_path / "a")
    assert lost.unit_m == 1 and [(s.name, s.reason) for s in lost.skipped] == [
        ("color/5.png", "tracking was lost there")
    ]
    free = read_capture(tmp_path / "b")
    assert free.unit_m is None and [(s.name, s.reason) for s in free.skipped] == [("lost", "was not aligned")]


def test_headings_are_from_north_and_pitch_from_straight_down() -> None:
    def looks(*degrees: float) -> list[float]:
        return [round(float(v), 6) + 0.0 for v in turned(*degrees) @ np.array([0, 0, -1])]

    assert looks(0, 0, 0) == [0, 0, -1] and looks(0, 90, 0) == [0, 1, 0] and looks(90, 90, 0) == [1, 0, 0]


def edited(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    content = path.read_text("utf-8-sig")
    assert old in content
    path.write_text(content.replace(old, new))


BROKEN: Sequence[tuple[str, str, str, str, str]] = (
    ("Metashape", "cameras.xml", 'type="frame">', 'type="spherical">', "of type spherical, which is not read"),
    ("Metashape", "cameras.xml", "</cx>", "</cx><b2>9</b2>", "without b2"),
    ("Metashape", "cameras.xml", "<document", "<!DOCTYPE x><document", "defines entities"),
    ("Metashape", "cameras.xml", "</chunk>", "", "is not XML"),
    ("RealityCapture", "registration.csv", ",heading", ",h", "line 2: heading missing"),
    ("RealityCapture", "registration.csv", f"{VIEWS[1].name},", f"{VIEWS[1].name},x", "line 3: expected 15 numbers"),
    ("Polycam", "keyframes/corrected_cameras/177.json", '"t_00"', '"no"', "177.json: expected 12"),
    ("Record3D", "scan/metadata", '"w": 24', '"w": 0', "must be positive"),
    ("3D Scanner App", "frame_00001.json", '"cameraPoseARFrame": [', '"cameraPoseARFrame": [1, ', "expected 16 finite"),
    ("ScanNet", "pose/1.txt", ".", "x", "expected rows of numbers"),
)


@pytest.mark.parametrize(("kind", "name", "old", "new", "words"), BROKEN)
def test_damage_is_told_in_words(tmp_path: Path, kind: str, name: str, old: str, new: str, words: str) -> None:
    WRITERS[kind](tmp_path)
    edited(tmp_path, name, old, new)
    with pytest.raises(CaptureError, match=words):
        read_capture(tmp_path)


def test_poses_that_are_not_read_are_named(tmp_path: Path) -> None:
    put(tmp_path, "cameras.sfm", "{}")
    put(tmp_path, "a.png", png(VIEWS[0]))
    assert not has_poses(FolderSource(tmp_path)) and "Meshroom" in unread_poses(FolderSource(tmp_path))
    with pytest.raises(CaptureError, match=r"cameras\.sfm seems to hold camera poses by Meshroom"):
        read_capture(tmp_path)


def test_the_largest_of_several_models_is_used(tmp_path: Path) -> None:
    write_colmap(tmp_path, VIEWS, POINTS, text=True)
    (tmp_path / "sparse" / "1").mkdir()
    for file in (tmp_path / "sparse" / "0").iterdir():
        (tmp_path / "sparse" / "1" / file.name).write_bytes(file.read_bytes())
    lines = (tmp_path / "sparse" / "0" / "images.txt").read_text().splitlines()
    (tmp_path / "sparse" / "0" / "images.txt").write_text("\n".join(lines[:5]) + "\n")
    capture = read_capture(tmp_path)
    assert len(capture.frames) == len(VIEWS)
    assert capture.notes == ("of 2 COLMAP models the largest is used, sparse/1, with 5 photographs",)


def test_photographs_of_one_name_in_several_folders_stay_apart(tmp_path: Path) -> None:
    write_colmap(tmp_path, VIEWS, POINTS, text=True)
    listing = (tmp_path / "sparse" / "0" / "images.txt").read_text()
    for index, view in enumerate(VIEWS):
        put(tmp_path, f"images/cam{index}/a b.png", png(view))
        (tmp_path / "images" / view.name).unlink()
        listing = listing.replace(view.name, f"D:/shoot/cam{index}/a b.png")
    (tmp_path / "sparse" / "0" / "images.txt").write_text("# made by hand\n" + listing)
    (tmp_path / "sparse" / "0" / "points3D.txt").unlink()
    capture = read_capture(tmp_path)
    assert [frame.file for frame in capture.frames] == [f"images/cam{index}/a b.png" for index in range(len(VIEWS))]
    assert capture.points is None
