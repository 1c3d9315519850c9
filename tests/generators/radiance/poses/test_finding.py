"""COLMAP's own synthetic pictures are placed as COLMAP made them; and failures say what was found and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from generators.events import Event, Preview
from generators.radiance.archive import CaptureError, FolderSource
from generators.radiance.capture_specs import CapturePosesParams
from generators.radiance.judging import THUMBNAIL_PX
from generators.radiance.poses.exif import Exif
from generators.radiance.poses.finding import Found, advice, enough, find_poses
from generators.radiance.poses.shots import Shot
from generators.radiance.poses.talk import Answer, Placed
from tests.generators.radiance.poses.alignment import aligned

pycolmap = pytest.importorskip("pycolmap")


def ended(source: FolderSource, folder: Path, params: CapturePosesParams) -> tuple[Found, list[Event]]:
    folder.mkdir()
    running = find_poses(source, folder, params, seed=1, check=lambda: None)
    events = []
    while True:
        try:
            events.append(next(running))
        except StopIteration as stopped:
            return stopped.value, events


def test_synthetic_pictures_are_placed_as_they_were_made(tmp_path: Path) -> None:
    pycolmap.logging.minloglevel = 2
    pycolmap.set_random_seed(3)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 6
    options.num_points3D, options.num_points2D_without_point3D = 200, 0
    options.camera_width, options.camera_height, options.camera_params = 640, 480, [800.0, 320.0, 240.0, 0.02]
    truth = pycolmap.synthesize_dataset(options)
    (tmp_path / "in").mkdir()
    pycolmap.synthesize_images(pycolmap.SyntheticImageOptions(), truth, tmp_path / "in")
    params = CapturePosesParams(resolution_px=640)
    found, events = ended(FolderSource(tmp_path / "in"), tmp_path / "work", params)
    assert len(found.placed) == 6 and isinstance(events[-2], Preview)
    by_name = {image.name: image for image in truth.images.values()}
    true = [np.vstack([by_name[name].cam_from_world().matrix(), [0, 0, 0, 1]]) for name in found.placed]
    error = aligned(found.world_from_camera, np.linalg.inv(np.stack(true)))
    assert error.translation.max() < 0.01 and error.rotation_deg.max() < 0.3


def shots(count: int) -> list[Shot]:
    tiny = np.zeros((THUMBNAIL_PX, THUMBNAIL_PX), np.float32)
    return [Shot(f"IMG_{n:04}.jpg", "", "", "", (8, 6), (8, 6), Exif(), 0.4, 0.4, "", tiny) for n in range(count)]


def placed(indices: Sequence[int]) -> Placed:
    return Placed(dict.fromkeys(indices, (1.0,) * 12), {0: (1.0,)}, 500, 0.5)


GOOD = Answer((), (2000,) * 50, (12,) * 50, False, {})


def test_a_small_largest_group_is_told_with_the_others() -> None:
    answer = msgspec.structs.replace(GOOD, groups=(placed(range(3, 12)), placed([30, 31, 32])))
    with pytest.raises(CaptureError) as refused:
        enough(answer, shots(50), 50)
    words = str(refused.value)
    assert words.startswith("9 of 50 photographs could be placed; the largest group is IMG_0003.jpg … IMG_0011.jpg")
    assert "another of 3 is IMG_0030.jpg, IMG_0031.jpg, IMG_0032.jpg" in words
    assert "set 'Placed at least' to 18 %" in words
    assert enough(answer, shots(50), 18) is answer.groups[0]


def test_no_group_at_all_is_told_without_a_way_round() -> None:
    with pytest.raises(CaptureError, match="0 of 50 photographs could be placed") as refused:
        enough(GOOD, shots(50), 50)
    assert "Placed at least" not in str(refused.value)


def test_blur_is_told_from_a_lack_of_texture() -> None:
    few = msgspec.structs.replace(GOOD, features=(80,) * 50)
    assert "Nearly all of them are blurred (80 features" in advice(few, 0.1)
    assert "little texture" in advice(few, 0.5) and "little texture" in advice(few)
    assert "do not agree" in advice(GOOD, 0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": (120,) * 50}, "little texture in them (120 features"),
        ({"matched": (1,) * 50}, "hardly overlap (the median photograph fits 1 others)"),
        ({"turned": True}, "turned on the spot"),
        ({}, "do not agree on one scene"),
    ],
)
def test_advice_follows_from_what_was_found(changes: dict[str, object], words: str) -> None:
    assert words in advice(msgspec.structs.replace(GOOD, **changes))
