"""The whole way through a pretended nerfstudio: data written, commands run, results in the photographs' world."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Capture, Splats
from generators.catalog import missing_need
from generators.events import Cancelled, GeneratorError, Note, Produced, Progress, Request
from generators.fields.nerfstudio.provider import run
from generators.fields.specs import SPLATS_BY_NERFSTUDIO, NerfstudioParams
from generators.pipe import DeviceRow
from tests.generators.fields.lattices import ROOM
from tests.generators.fields.test_from_photos import Bench, fresh
from tests.generators.radiance.captures import write_folder

FAKE = Path(__file__).parent / "fake"
GPU = [DeviceRow(name="cuda:0", title="some GPU", memory_bytes=24 * 10**9)]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the pretended environment is a shell script")


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Python of a pretended environment, named in the settings."""
    path = tmp_path / "venv" / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{FAKE}" exec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("SCENECAST_NERFSTUDIO_PYTHON", str(path))
    return path


def request(tmp_path: Path, **params: object) -> Request:
    asked = NerfstudioParams(**{"iterations": 100, "resolution_px": 64, **params})  # type: ignore[arg-type]
    return Request(asked, 7, {"photos": Capture(write_folder(tmp_path / "scene", ROOM))})


@pytest.mark.parametrize("method", ["splatfacto", "nerfacto"])
def test_results_come_home_to_the_photographs_world(tmp_path: Path, python: Path, method: str) -> None:
    scratch = fresh(tmp_path / "scratch")
    asked = request(tmp_path, method=method, flags=["--pipeline.model.sh-degree=2"])
    events = list(run(asked, Bench(scratch)))
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(last.asset, Splats)
    wanted = np.array([photograph.camera.position for photograph in ROOM])
    np.testing.assert_allclose(last.asset.positions, wanted, atol=1e-4)
    if method == "splatfacto":
        np.testing.assert_allclose(np.sort(last.asset.scales), np.exp([[-3, -2, -1]] * 9) / 0.4, rtol=1e-4)
    else:
        np.testing.assert_allclose(0.5 + 0.28209479 * last.asset.sh[:, 0], [[1, 128 / 255, 0]] * 9, atol=3e-3)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and sum(0.1 < f < 0.9 for f in fractions) >= 3
    assert not list(tmp_path.rglob("loaded_a_config"))  # nobody has loaded its YAML
    assert any(isinstance(event, Note) and method in event.text for event in events)
    # an attempt after one that was killed finds folders in its way
    assert isinstance(list(run(Request(asked.params, 7, asked.inputs), Bench(_cleared(scratch))))[-1], Produced)


def _cleared(scratch: Path) -> Path:
    import shutil

    shutil.rmtree(scratch / "exported")
    return scratch


@pytest.mark.parametrize(("mode", "why"), [("fails", "No CUDA GPUs"), ("no transforms", "dataparser_transforms.json")])
def test_failures_are_told_in_its_own_words(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch, mode: str, why: str
) -> None:
    monkeypatch.setenv("FAKE_NERFSTUDIO", mode)
    with pytest.raises(GeneratorError, match=why):
        list(run(request(tmp_path), Bench(fresh(tmp_path / "scratch"))))


def test_memory_that_ran_out_on_the_card_is_told_as_such(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NERFSTUDIO", "full")
    with pytest.raises(MemoryError, match=r"CUDA out of memory. Tried to allocate 2.00 GiB"):
        list(run(request(tmp_path), Bench(fresh(tmp_path / "scratch"))))


@pytest.mark.parametrize(("device", "seen", "card"), [("cuda:1", None, "1"), ("cuda:1", "2,GPU-ab", "GPU-ab")])
def test_it_trains_on_the_card_that_the_job_was_given(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch, device: str, seen: str | None, card: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    bench = Bench(fresh(tmp_path / "scratch"))
    bench.device = device
    list(run(request(tmp_path), bench))
    assert (bench.scratch / "card").read_text() == card


def test_an_environment_without_nerfstudio_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENECAST_NERFSTUDIO_PYTHON", sys.executable)
    with pytest.raises(GeneratorError, match="No module named"):
        list(run(request(tmp_path), Bench(fresh(tmp_path / "scratch"))))


def test_cancelling_ends_every_process(tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NERFSTUDIO", "hangs")
    scratch = fresh(tmp_path / "scratch")
    cancelled = threading.Event()

    class Stopped(Bench):
        def check(self) -> None:
            if cancelled.is_set():
                raise Cancelled

    failures: list[BaseException] = []

    def work() -> None:
        try:
            list(run(request(tmp_path), Stopped(scratch)))
        except Cancelled as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not (scratch / "pids").exists() or not (scratch / "pids").read_text():
        time.sleep(0.02)
        assert thread.is_alive()
    pids = [int(word) for word in (scratch / "pids").read_text().split()]
    assert all(alive(pid) for pid in pids)
    cancelled.set()
    thread.join(120)
    assert not thread.is_alive() and failures
    until = time.monotonic() + 120
    while any(alive(pid) for pid in pids):  # killed, which a busy machine may take a moment to carry out
        assert time.monotonic() < until
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.mark.parametrize("flag", ["--data=/etc", "--load-config=x.yml", "--load_dir=x", "rm -rf", "-x"])
def test_flags_that_are_not_the_artists_are_refused(tmp_path: Path, python: Path, flag: str) -> None:
    with pytest.raises(GeneratorError, match=r"flag|set by Scenecast"):
        list(run(request(tmp_path, flags=[flag]), Bench(fresh(tmp_path / "scratch"))))


def test_the_catalog_says_what_is_missing(tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_need(SPLATS_BY_NERFSTUDIO, GPU) == ""
    assert "no GPU" in missing_need(SPLATS_BY_NERFSTUDIO, [DeviceRow(name="cpu", title="cpu", memory_bytes=10**10)])
    monkeypatch.setenv("SCENECAST_NERFSTUDIO_PYTHON", str(tmp_path / "gone"))
    assert "does not exist" in missing_need(SPLATS_BY_NERFSTUDIO, GPU)
    monkeypatch.delenv("SCENECAST_NERFSTUDIO_PYTHON")
    assert missing_need(SPLATS_BY_NERFSTUDIO, GPU) == (
        "it needs the Python of an environment of its own with nerfstudio 1.1 (3.5 GB, Apache-2.0); "
        "name it in the setting nerfstudio_python"
    )
