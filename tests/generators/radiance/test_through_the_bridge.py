"""A folder of photographs goes to a real bridge, and a cloud that looks like them comes back."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Splats
from engines.formats.registry import Limits, decoder, format_named
from python_client import JobCancelled, JobFailed, Refused, connect, discovery, events
from tests.generators.radiance.captures import write_folder
from tests.generators.radiance.scenes import photographs_of, textured_room

VIEWS = photographs_of(textured_room(2000), 6, width=48, height=40, arc_deg=50)
QUICK = {"resolution_px": 96, "iterations": 250, "splats_max": 2000, "sh_degree": 1}


@contextmanager
def bridge(folder: Path) -> Iterator[None]:
    """A real bridge over the data in the folder, found by the environment of the test."""
    command = [
        sys.executable,
        "-m",
        "bridge",
        "--port",
        "0",
        "--json",
        "--data-dir",
        str(folder / "data"),
        "--set",
        "prepare=false",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.wait(120)
        process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv(discovery.RUNTIME_DIR_VARIABLE, str(tmp_path / "run"))
    return tmp_path


@pytest.mark.timeout(600)  # the kernels may have to be compiled first
def test_a_folder_of_photographs_becomes_a_cloud(folder: Path) -> None:
    photos = write_folder(folder / "room", VIEWS)
    with bridge(folder), connect() as client:
        capture = client.upload(photos)
        assert (capture.kind, capture.name) == ("capture", "room")
        job = client.submit(
            "splats.from_photos", QUICK, inputs={"photos": photos}, host="blender", seed=1, preview_per_sec=30.0
        )
        told = list(job)
        [path] = job.result(120).save(folder / "out")
        fractions = [event.fraction for event in told if isinstance(event, events.Progress)]
        assert fractions and fractions == sorted(fractions)
        assert any(isinstance(event, events.Preview) for event in told)
        [psnr] = [float(found[1]) for note in job.notes if (found := re.search(r"6 photographs; .* ([\d.]+) dB", note))]
        assert psnr > 28, "the cloud does not look like its photographs"
        cloud = decoder(format_named("ply"))(Path(path), Limits())
        assert isinstance(cloud, Splats) and 100 < len(cloud.positions) <= 2000
        # The floor lies 0.8 m below the middle of the ball; our own reader turns Blender's axes back to +Y up.
        below = cloud.positions[cloud.positions[:, 1] < -0.6]
        assert len(below) > 20 and abs(np.median(below[:, 1]) + 0.8) < 0.15
        again = client.submit("splats.from_photos", QUICK, inputs={"photos": capture}, host="blender", seed=1)
        assert again.result(120)[0].digest == job.assets[0].digest and again.reused
        [packed] = client.fetch(capture, "unity").files
        assert packed.name == "room.zip" and client.upload(packed.read(), name="room") == capture


@pytest.mark.timeout(600)
def test_what_is_no_capture_is_refused_in_words_and_a_run_can_be_ended(folder: Path) -> None:
    photos = write_folder(folder / "room", VIEWS)
    with bridge(folder), connect() as client:
        picture = client.upload(photos / "images" / VIEWS[0].name)
        with pytest.raises(Refused, match="capture"):
            client.submit("splats.from_photos", QUICK, inputs={"photos": picture}).result(120)
        with pytest.raises(Refused, match="photos"):
            client.submit("splats.from_photos", QUICK).result(120)
        (folder / "bare").mkdir()
        (folder / "bare" / "a.png").write_bytes((photos / "images" / VIEWS[0].name).read_bytes())
        with pytest.raises(JobFailed, match="1 of 1 photographs can be used, at least 3 are needed"):
            client.submit("splats.from_photos", QUICK, inputs={"photos": folder / "bare"}).result(120)
        long = client.submit("splats.from_photos", {**QUICK, "iterations": 100_000}, inputs={"photos": photos})
        client.drive(lambda: long.stage.startswith("training"), 120, "the training")
        long.cancel()
        with pytest.raises(JobCancelled):
            long.result(120)
