"""Films alone, in a zip, and beside photographs become photographs with poses."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Capture, Clip
from engines.formats.mp4 import encode
from engines.hosts import host
from generators.events import Note, Produced, Request
from generators.radiance.archive import CaptureError
from generators.radiance.capture import read_capture
from generators.radiance.capture_specs import CapturePosesParams
from generators.radiance.poses.capture_poses import run
from generators.radiance.poses.films import is_film, opened
from tests.generators.radiance.known_scene import around, png, render
from tests.generators.radiance.poses.alignment import aligned
from tests.generators.radiance.poses.contexts import Bench

CAMERAS = around(24, width=240, height=180, arc_deg=60)
PARAMS = CapturePosesParams(resolution_px=240, frames_max=9)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip(np.stack([render(camera).pixels for camera in CAMERAS]), name="walk")


@pytest.fixture(scope="module")
def path(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    [written] = encode(clip, folder, "walk", host=host("python"), crf=12)
    return folder / written.file


def test_a_film_is_placed(path: Path, tmp_path: Path) -> None:
    events = list(run(Request(PARAMS, 1, {"photos": Capture(path, "walk")}), Bench(tmp_path / "scratch")))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes[0].startswith("9 of 24 frames of walk are used")
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(last.asset, Capture)
    frames = read_capture(last.asset.path).frames
    numbers = [int(frame.file.removeprefix("walk_").removesuffix(".jpg")) for frame in frames]
    assert len(numbers) >= 8 and numbers == sorted(numbers)
    true = np.stack([np.linalg.inv(CAMERAS[number].camera_from_world) for number in numbers])
    error = aligned(np.stack([frame.world_from_camera for frame in frames]), true)
    assert error.translation.max() < 0.05 and error.rotation_deg.max() < 1


def names_of(photos: Capture | Clip, folder: Path) -> tuple[set[str], bool, list[str]]:
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        running = opened(photos, folder, frames_max=6, check=lambda: None, stack=stack)
        notes: list[str] = []
        while True:
            try:
                event = next(running)
            except StopIteration as stopped:
                source, filmed = stopped.value
                assert all(source.read(name) for name in source.names)
                return set(source.names), filmed, notes
            if isinstance(event, Note):
                notes.append(event.text)


def test_films_and_photographs_make_one_capture(path: Path, clip: Clip, tmp_path: Path) -> None:
    packed = tmp_path / "mixed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, "clips/A walk.MP4")
        archive.writestr("clips/bad.mov", b"no film")
        archive.writestr("photo.png", png(clip.frames[0]))
    names, filmed, notes = names_of(Capture(packed), tmp_path / "a")
    taken = {name for name in names if name.startswith("frames/clips_A_walk_")}
    assert len(taken) == 6 and "photo.png" in names and not filmed
    assert notes[1].startswith("clips/bad.mov was left out: film.mov is no film that can be read")


def test_a_clip_in_memory_gives_the_frames_that_its_file_gives(path: Path, clip: Clip, tmp_path: Path) -> None:
    assert is_film(path) and not is_film(tmp_path)
    from_file, filmed, _ = names_of(Capture(path, "walk"), tmp_path / "a")
    from_memory, also_filmed, _ = names_of(clip, tmp_path / "b")
    assert filmed and also_filmed and len(from_file) == len(from_memory) == 6


def test_a_lone_damaged_film_is_an_error(tmp_path: Path) -> None:
    packed = tmp_path / "film.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("film.mp4", b"no film")
    with pytest.raises(CaptureError, match="no film that can be read"):
        names_of(Capture(packed), tmp_path / "a")
    black = Clip(np.zeros((5, 32, 32, 3), np.uint8), name="night")
    with pytest.raises(CaptureError, match="night: every frame of it is black"):
        names_of(black, tmp_path / "b")


def test_what_a_telephone_films_around_each_photograph_is_left_out(path: Path, clip: Clip, tmp_path: Path) -> None:
    packed = tmp_path / "live.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(3):
            archive.writestr(f"IMG_{number}.png", png(clip.frames[number]))
            archive.write(path, f"IMG_{number}.MOV")
    names, filmed, notes = names_of(Capture(packed), tmp_path / "a")
    assert not filmed and not any(name.startswith("frames/") for name in names)
    assert notes == ["3 short films that belong to photographs of the same name (live photos) were left out"]
