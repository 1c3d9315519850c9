"""Photographs without poses, and a film, go to a real bridge; what comes back is used again there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.assets import Clip
from engines.formats.mp4 import encode
from engines.hosts import host
from python_client import JobCancelled, JobFailed, connect, discovery, events
from tests.generators.radiance.known_scene import around, render, views, write_capture
from tests.generators.radiance.test_through_the_bridge import bridge

POSES = {"resolution_px": 240, "camera_height_m": 1.05}
QUICK = {"resolution_px": 96, "iterations": 60, "splats_max": 1000, "sh_degree": 0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv(discovery.RUNTIME_DIR_VARIABLE, str(tmp_path / "run"))
    return tmp_path


@pytest.mark.timeout(600)  # the kernels may have to be compiled first
def test_found_poses_are_an_asset_that_splats_are_trained_on(folder: Path) -> None:
    photos = write_capture(folder / "room", views(6, width=240, height=180, arc_deg=50), posed=False)
    with bridge(folder), connect() as client:
        job = client.submit("capture.poses", POSES, inputs={"photos": photos}, seed=1, preview_per_sec=30.0)
        told = list(job)
        assert any(isinstance(event, events.Preview) for event in told)
        stages = {event.stage.partition(":")[0] for event in told if isinstance(event, events.Progress)}
        assert {"comparing", "placing cameras"} & stages
        assert any("6 of 6 photographs were placed" in note for note in job.notes)
        [posed] = job.assets
        assert (posed.kind, posed.name) == ("capture", "room, posed")
        splats = client.submit("splats.from_photos", QUICK, inputs={"photos": job}, host="python", seed=1)
        splats.result(240)
        assert not any("how large the scene is" in note for note in splats.notes)
        same = client.submit("capture.poses", POSES, inputs={"photos": photos}, seed=1)
        assert same.result(120)[0].digest == posed.digest and same.reused


@pytest.mark.timeout(600)
def test_a_film_file_is_enough_and_a_run_ends_when_it_is_told_to(folder: Path) -> None:
    frames = np.stack([render(camera).pixels for camera in around(16, width=240, height=180, arc_deg=50)])
    (folder / "film").mkdir()
    encode(Clip(frames), folder / "film", "walk", host=host("python"), crf=12)
    film = folder / "film" / "walk.mp4"
    with bridge(folder), connect() as client:
        assert client.upload(film).kind == "clip"
        settings = {"resolution_px": 240, "frames_max": 8}
        job = client.submit("capture.poses", settings, inputs={"photos": film}, seed=1)
        assert job.result(240)[0].kind == "capture"
        assert any("8 of 16 frames of walk" in note for note in job.notes)
        for seed in range(2, 8):  # a run may be over before it hears that it is to end
            again = client.submit("capture.poses", settings, inputs={"photos": film}, seed=seed)
            for event in again:
                if isinstance(event, events.Progress) and "features" in event.stage:
                    again.cancel()
            if again.state == "cancelled":
                break
        with pytest.raises(JobCancelled):
            again.result(120)


@pytest.mark.timeout(600)
def test_strangers_are_refused_in_words(folder: Path) -> None:
    photos = write_capture(folder / "few", views(2, width=120, height=90), posed=False)
    with bridge(folder), connect() as client, pytest.raises(JobFailed, match="2 of 2 photographs can be used"):
        client.submit("splats.from_photos", QUICK, inputs={"photos": photos}).result(240)
