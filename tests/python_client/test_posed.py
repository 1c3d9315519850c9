"""A host's renders and cameras become a capture that is read as it was meant."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engines.formats.capture_zip import photograph_names
from engines.formats.registry import Limits
from generators.radiance.capture import read_capture
from generators.radiance.photographs import load_photographs
from python_client import PosedCamera, PosedFrame, ScenecastError, capture_zip
from tests.generators.radiance.known_scene import View, png, views

SEEN = views(4, width=48, height=36)
GLTF_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
BLENDER_FROM_NEUTRAL = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)


def camera_of(view: View, up: str = "y") -> PosedCamera:
    pose = np.linalg.inv(view.camera.camera_from_world) @ GLTF_FROM_OPENCV
    fov_y_deg = float(np.degrees(2 * np.arctan(18 / view.camera.fy)))
    return PosedCamera((BLENDER_FROM_NEUTRAL @ pose if up == "z" else pose).tolist(), fov_y_deg, 48, 36, up=up)


def grey_png(values: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("up", ["y", "z"])
def test_cameras_pictures_masks_and_depth_arrive(tmp_path: Path, up: str) -> None:
    mask = np.full((36, 48), 255, np.uint8)
    mask[:, :10] = 0
    frames = [
        PosedFrame(
            png(view.pixels),
            camera_of(view, up),
            mask=grey_png(mask) if index == 1 else None,
            depth=grey_png((view.depth * 1000 + 0.5).astype(np.uint16)),
        )
        for index, view in enumerate(SEEN)
    ]
    path = tmp_path / "renders.zip"
    assert capture_zip(path, frames) == 4
    assert "images/00003.png" in photograph_names(path, Limits())
    capture = read_capture(path)
    assert capture.unit_m == 1 and not capture.skipped
    photographs, skipped = load_photographs(capture, longest_side_px=48)
    assert not skipped
    for photograph, view in zip(photographs, SEEN, strict=True):
        np.testing.assert_allclose(photograph.camera.camera_from_world, view.camera.camera_from_world, atol=1e-9)
        assert (photograph.camera.fx, photograph.camera.cx) == pytest.approx((view.camera.fx, view.camera.cx))
        assert np.array_equal(photograph.pixels.transpose(1, 2, 0), view.pixels)
        assert photograph.depth is not None
        np.testing.assert_allclose(photograph.depth, view.depth, atol=0.001)
    assert photographs[0].mask is None and photographs[1].mask is not None
    assert np.array_equal(photographs[1].mask, mask > 0)


def test_the_same_frames_give_the_same_bytes_and_files_do_as_well(tmp_path: Path) -> None:
    frames = [PosedFrame(png(view.pixels), camera_of(view)) for view in SEEN]
    capture_zip(tmp_path / "a.zip", frames)
    for index, frame in enumerate(frames):
        (tmp_path / f"{index}.png").write_bytes(bytes(frame.picture))  # type: ignore[arg-type]
    capture_zip(tmp_path / "b.zip", [PosedFrame(tmp_path / f"{i}.png", f.camera) for i, f in enumerate(frames)])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None


def test_a_shifted_lens_moves_the_centre(tmp_path: Path) -> None:
    camera = PosedCamera(np.eye(4).tolist(), 50.0, 48, 36, centre_px=(20.0, 15.0))
    others = [PosedFrame(png(view.pixels), camera_of(view)) for view in SEEN[:2]]
    capture_zip(tmp_path / "a.zip", [PosedFrame(png(SEEN[3].pixels), camera), *others])
    shifted = load_photographs(read_capture(tmp_path / "a.zip"), longest_side_px=48)[0][0].camera
    assert (shifted.cx, shifted.cy) == (20.0, 15.0)
    np.testing.assert_allclose(shifted.forward, [0, 0, -1], atol=1e-12)


FLAT: list[list[float]] = np.eye(4).tolist()


@pytest.mark.parametrize(
    ("picture", "camera", "words"),
    [
        (b"GIF89a", PosedCamera(FLAT, 50, 4, 4), "neither PNG nor JPEG"),
        (b"\xff\xd8\xff", PosedCamera(FLAT, 190, 4, 4), "makes no sense"),
        (b"\xff\xd8\xff", PosedCamera(FLAT[:2], 50, 4, 4), "4 rows of 4 finite"),
        (b"\xff\xd8\xff", PosedCamera([[float("nan")] * 4] * 4, 50, 4, 4), "4 rows of 4 finite"),
        (b"\xff\xd8\xff", PosedCamera(FLAT, 50, 4, 4, up="x"), "makes no sense"),
        ("missing.png", PosedCamera(FLAT, 50, 4, 4), "cannot be written"),
        (b"\xff\xd8\xff", PosedCamera(FLAT, 50, 4, 4), "1 pictures are too few"),
    ],
)
def test_nonsense_is_refused_in_words(tmp_path: Path, picture: Any, camera: PosedCamera, words: str) -> None:
    with pytest.raises(ScenecastError, match=words):
        capture_zip(tmp_path / "a.zip", [PosedFrame(picture, camera)])
