"""Photographs of a known room without any poses, through the whole generator; and sets that cannot be placed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Capture
from generators.events import Cancelled, Event, GeneratorError, Note, Produced, Progress, Request
from generators.radiance.archive import CaptureError
from generators.radiance.capture import read_capture
from generators.radiance.capture_specs import CapturePosesParams
from generators.radiance.judging import grey_of
from generators.radiance.photographs import load_photographs
from generators.radiance.poses.capture_poses import run, with_poses
from tests.generators.radiance import known_scene
from tests.generators.radiance.poses.alignment import aligned, true_poses
from tests.generators.radiance.poses.contexts import Bench

VIEWS = known_scene.views(8, width=240, height=180, arc_deg=60)
PARAMS = CapturePosesParams(resolution_px=240, camera_height_m=1.05)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight photographs, one of them twice and one of a covered lens."""
    root = known_scene.write_capture(tmp_path_factory.mktemp("input") / "room", VIEWS, posed=False)
    (root / "images" / "view008.png").write_bytes((root / "images" / "view003.png").read_bytes())
    (root / "images" / "view009.png").write_bytes(known_scene.png(np.full((180, 240, 3), 3, np.uint8)))
    (root / "images" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    return root


@pytest.fixture(scope="module")
def events(room: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    request = Request(PARAMS, 3, {"photos": Capture(room, "room")})
    return list(run(request, Bench(tmp_path_factory.mktemp("run") / "scratch")))


def posed(events: list[Event]) -> Capture:
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(last.asset, Capture)
    return last.asset


def test_every_camera_is_placed_where_it_stood(events: list[Event]) -> None:
    capture = read_capture(posed(events).path)
    assert [frame.file for frame in capture.frames] == [f"images/view{index:03}.png" for index in range(8)]
    found = np.stack([frame.world_from_camera for frame in capture.frames])
    error = aligned(found, true_poses(VIEWS))
    assert error.translation.max() < 0.01 and error.rotation_deg.max() < 0.3


def test_it_stands_upright_on_its_floor_in_metres(events: list[Event]) -> None:
    capture = read_capture(posed(events).path)
    error = aligned(np.stack([frame.world_from_camera for frame in capture.frames]), true_poses(VIEWS))
    assert error.rotation[1, 1] > np.cos(np.radians(2))
    assert capture.unit_m == 1 and error.scale == pytest.approx(1, abs=0.15)  # the median camera height is near 1.05 m
    assert capture.points is not None and len(capture.points.positions) > 300
    moved = error.scale * capture.points.positions @ error.rotation.T + error.shift
    assert np.median(np.abs(known_scene.signed_distance(moved))) < 0.03
    assert capture.points.colours.std() > 0.05


def test_what_was_assumed_and_left_out_is_said(events: list[Event]) -> None:
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes[0].startswith("8 of 11 photographs were placed")
    for words in (
        "images/IMG_1.HEIC (",
        "images/view008.png (shows the same as images/view003.png)",
        "images/view009.png (is black",
    ):
        assert words in notes[0]
    assert any("do not name their lens" in note for note in notes)
    assert notes[-1] == "metres are known from the height of the cameras"


def test_progress_goes_forward_through_every_stage(events: list[Event]) -> None:
    told = [event for event in events if isinstance(event, Progress)]
    assert [event.fraction for event in told] == sorted(event.fraction for event in told)
    stages = " ".join(event.stage for event in told)
    for word in ("reading", "features", "comparing", "placing cameras", "writing"):
        assert word in stages


def test_the_posed_photographs_can_be_trained_on(events: list[Event]) -> None:
    photographs, skipped = load_photographs(read_capture(posed(events).path), longest_side_px=240)
    assert not skipped and len(photographs) == 8
    truth = grey_of(VIEWS[0].pixels)
    got = grey_of(np.ascontiguousarray(photographs[0].pixels.transpose(1, 2, 0)))
    assert np.abs(got - truth).mean() < 12  # straightened by the lens that was found
    assert photographs[0].camera.fx == pytest.approx(VIEWS[0].camera.fx, rel=0.05)


def test_the_same_request_gives_the_same_bytes(room: Path, events: list[Event], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "room.zip", "w") as archive:
        for path in sorted(room.rglob("*.*")):
            archive.write(path, path.relative_to(room).as_posix())
    left = tmp_path / "scratch" / "poses" / "colmap.db"  # by a run that was killed
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    again = list(run(Request(PARAMS, 3, {"photos": Capture(tmp_path / "room.zip")}), Bench(tmp_path / "scratch")))
    assert posed(again).path.read_bytes() == posed(events).path.read_bytes()
    assert list(left.parent.iterdir()) == [posed(again).path]


def test_cancelling_waits_for_no_stage_to_end(room: Path, tmp_path: Path) -> None:
    context = Bench(tmp_path / "scratch")
    running = run(Request(PARAMS, 3, {"photos": Capture(room)}), context)
    for event in running:
        if isinstance(event, Progress) and "features" in event.stage:
            break
    context.cancel_after_secs = 0
    later = set[str]()
    with pytest.raises(Cancelled):
        later.update(event.stage for event in running if isinstance(event, Progress))
    assert all("features" in stage for stage in later)


def test_photographs_that_do_not_belong_together_are_refused_with_what_to_do(tmp_path: Path) -> None:
    root = tmp_path / "strangers"
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(5):
        coarse = rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)
        (root / "images" / f"{index}.png").write_bytes(known_scene.png(coarse.repeat(6, 0).repeat(6, 1)))
    with pytest.raises(CaptureError, match=r"0 of 5 photographs could be placed.*(overlap|texture)"):
        list(run(Request(PARAMS, 1, {"photos": Capture(root)}), Bench(tmp_path / "scratch")))


def test_two_photographs_are_too_few(tmp_path: Path) -> None:
    root = known_scene.write_capture(tmp_path / "two", VIEWS[:2], posed=False)
    with pytest.raises(CaptureError, match="2 of 2 photographs can be used, at least 3 are needed"):
        list(run(Request(PARAMS, 1, {"photos": Capture(root)}), Bench(tmp_path / "scratch")))
    with pytest.raises(GeneratorError, match="no photographs were given"):
        list(run(Request(PARAMS, 1, {}), Bench(tmp_path / "scratch")))


def test_a_capture_with_poses_is_taken_as_it_is(tmp_path: Path) -> None:
    root = known_scene.write_capture(tmp_path / "posed", VIEWS[:3])
    assert list(with_poses(Capture(root), Bench(tmp_path / "scratch"), seed=1)) == [root]


def test_a_run_taken_up_again_finds_the_poses_it_had(room: Path, events: list[Event], tmp_path: Path) -> None:
    made = tmp_path / "scratch" / "poses" / "posed.zip"
    made.parent.mkdir(parents=True)
    made.write_bytes(posed(events).path.read_bytes())
    assert list(with_poses(Capture(room), Bench(tmp_path / "scratch"), seed=1)) == [made]
