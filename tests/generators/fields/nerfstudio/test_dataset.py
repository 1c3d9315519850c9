"""What we write for nerfstudio is read back as it was, alpha and masks included."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from generators.fields.nerfstudio.dataset import write_dataset
from generators.radiance.capture import read_capture
from generators.radiance.colmap import Points
from generators.radiance.photographs import Photograph, load_photographs
from tests.generators.fields.lattices import ROOM


def test_a_dataset_comes_back_as_the_same_capture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = ROOM[0].pixels.shape[1:]
    alpha, mask = rng.integers(0, 255, shape, np.uint8), rng.random(shape) < 0.5
    views = [
        Photograph(p.name, p.camera, p.pixels, alpha if i == 1 else None, mask if i == 2 else None)
        for i, p in enumerate(ROOM)
    ]
    folder = write_dataset(views, tmp_path / "data")
    capture = read_capture(folder)
    assert not capture.skipped
    again, unreadable = load_photographs(capture, longest_side_px=4096)
    assert not unreadable and len(again) == len(views)
    for old, new in zip(views, again, strict=True):
        np.testing.assert_array_equal(new.pixels, old.pixels)
        np.testing.assert_allclose(new.camera.camera_from_world, old.camera.camera_from_world, atol=1e-9)
        assert (new.camera.fx, new.camera.cx, new.camera.height) == (old.camera.fx, old.camera.cx, old.camera.height)
        assert (new.alpha is None) == (old.alpha is None) and (new.mask is None) == (old.mask is None)
    np.testing.assert_array_equal(again[1].alpha, alpha)
    np.testing.assert_array_equal(again[2].mask, mask)
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    assert all("mask_path" in frame for frame in frames)  # nerfstudio takes one for every picture or for none


def test_no_mask_is_written_where_there_is_none(tmp_path: Path) -> None:
    folder = write_dataset(ROOM[:3], tmp_path / "data")
    assert not (folder / "masks").exists() and "mask_path" not in (folder / "transforms.json").read_text()


def test_points_come_back_in_the_world_of_the_poses(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = Points(rng.normal(size=(5, 3)).astype(np.float32), np.linspace(0, 1, 15, dtype=np.float32).reshape(5, 3))
    folder = write_dataset(ROOM[:3], tmp_path / "data", points=points)
    assert json.loads((folder / "transforms.json").read_text())["ply_file_path"] == "sparse_pc.ply"
    again = read_capture(folder).points
    assert again is not None
    np.testing.assert_allclose(again.positions, points.positions, atol=1e-6)
    np.testing.assert_allclose(again.colours, points.colours, atol=1 / 255)


def test_poses_are_nerfstudios(tmp_path: Path) -> None:
    folder = write_dataset(ROOM[:3], tmp_path / "data")
    document = json.loads((folder / "transforms.json").read_text())
    frame = document["frames"][0]
    assert {"file_path", "transform_matrix", "w", "h", "fl_x", "fl_y", "cx", "cy"} <= set(frame)
    pose, camera = np.array(frame["transform_matrix"]), ROOM[0].camera
    x, y, z = camera.position
    np.testing.assert_allclose(pose[:3, 3], [x, -z, y])  # +Z is up
    ahead = camera.forward
    np.testing.assert_allclose(-pose[:3, 2], [ahead[0], -ahead[2], ahead[1]])  # the camera looks along -Z
    np.testing.assert_allclose(pose[2, 1], 1, atol=0.2)  # and its +Y is up
