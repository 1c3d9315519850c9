"""The commands, run as a person runs them: a real bridge, real workers, real files and a real Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bridge.store import Store

SECS = 500
pytestmark = pytest.mark.timeout(600)  # each command is a process that loads torch, and a test may need ten


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment of its own: runtime folder, data and settings."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "run").mkdir(mode=0o700)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SCENECAST_")}
    return {
        **kept,
        "SCENECAST_RUNTIME_DIR": str(folder / "run"),
        "SCENECAST_DATA_DIR": str(folder / "data"),
        "SCENECAST_CONFIG": str(folder / "scenecast.toml"),
        "SCENECAST_PREPARE": "false",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }


@pytest.fixture(scope="module", autouse=True)
def config(home: dict[str, str]) -> None:
    Path(home["SCENECAST_CONFIG"]).write_text('log_level = "info"\n')


def scenecast(home: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge.cli", *arguments]
    return subprocess.run(command, env=home, capture_output=True, text=True, timeout=SECS, check=False)


@pytest.fixture(scope="module")
def bridge(home: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A bridge started by `scenecast serve`."""
    command = [sys.executable, "-m", "bridge.cli", "serve", "--port", "0", "--json"]
    log = Path(home["SCENECAST_CONFIG"]).with_name("bridge.log")
    with (
        log.open("w") as errors,
        subprocess.Popen(command, env=home, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECS) == 0, log.read_text()
    assert not list(Path(home["SCENECAST_RUNTIME_DIR"]).glob("bridge-*.json"))


def test_run_starts_a_private_bridge_over_the_same_store(home: dict[str, str], tmp_path: Path) -> None:
    arguments = ["run", "image.noise", "-p", "size_px=64", "--seed", "5", "--host", "unreal", "--json"]
    done = scenecast(home, *arguments, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["seed"] == 5 and said["host"] == "unreal" and said["params"] == {"size_px": 64}
    [path] = said["files"]
    with Image.open(path) as picture:
        assert picture.size == (64, 64)
    again = json.loads(scenecast(home, *arguments, "--out", str(tmp_path / "again")).stdout)
    assert again["reused"] and again["assets"] == said["assets"], "the store outlives the private bridge"
    assert not list(Path(home["SCENECAST_RUNTIME_DIR"]).iterdir()), "a private bridge is not announced"


def test_a_command_waits_for_another_and_the_history_is_read_meanwhile(home: dict[str, str], tmp_path: Path) -> None:
    """Two commands without a bridge want the same store: the second one says so, waits, and then does its work."""
    apart = {**home, "SCENECAST_DATA_DIR": str(tmp_path / "data")}
    arguments = ["run", "image.noise", "-p", "size_px=64", "--seed", "5", "--json", "--out", str(tmp_path)]
    assert json.loads(scenecast(apart, "jobs", "--json").stdout) == []
    store = Store(tmp_path / "data" / "store")
    store.claim()
    command = [sys.executable, "-m", "bridge.cli", *arguments]
    with subprocess.Popen(command, env=apart, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "another scenecast command is at work" in process.stderr.readline()
            assert scenecast(apart, "jobs").returncode == 0
            assert "image.noise" in scenecast(apart, "generators").stdout
        finally:
            store.release()
        out, words = process.communicate(timeout=SECS)
    assert process.returncode == 0, words
    [row] = json.loads(scenecast(apart, "jobs", "--json", "--state", "finished").stdout)
    assert row["job_id"] == json.loads(out)["job"] and row["assets"] == [
        {**json.loads(out)["assets"][0], "size_bytes": row["assets"][0]["size_bytes"]}
    ]
    assert json.loads(scenecast(apart, "jobs", "--json", "--state", "failed").stdout) == []


def test_wrong_requests_are_told_in_the_bridges_words(home: dict[str, str], bridge: dict[str, Any]) -> None:
    cases = {
        ("-p", "size_px=9"): ("size_px", "64"),
        ("-p", "colour=red"): ("colour",),
        ("-p", "prompt"): ("expected NAME=VALUE",),
        ("-i", f"photo={'0' * 64}"): ("photo",),
        ("--seed", "-1"): ("outside 0 … 4294967295",),
        ("--host", "maya"): ("maya",),
    }
    for arguments, words in cases.items():
        done = scenecast(home, "run", "image.noise", "--json", *arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert all(word in done.stderr for word in words), done.stderr
    for command, meant in (("run image.noize", "image.noise"), ("generator", "did you mean generators?")):
        done = scenecast(home, *command.split())
        assert done.returncode == 2 and meant in done.stderr, done.stderr
    assert scenecast(home, "dance").returncode == 2
    assert scenecast(home).returncode == 2


def test_generators_jobs_and_token(home: dict[str, str], bridge: dict[str, Any], tmp_path: Path) -> None:
    rows = json.loads(scenecast(home, "generators", "--json").stdout)
    assert {row["id"] for row in rows} >= {"material.procedural", "image.noise"}
    one = scenecast(home, "generators", "image.noise").stdout
    assert "64 … 4096" in one and "px" in one and "size_px" in one
    assert scenecast(home, "run", "image.noise", "-p", "size_px=64", "--out", str(tmp_path)).returncode == 0
    jobs = json.loads(scenecast(home, "jobs", "--json", "--state", "finished").stdout)
    assert jobs[0]["generator"] == "image.noise" and jobs[0]["state"] == "finished"
    assert jobs[0]["job_id"] in scenecast(home, "jobs", "--all").stdout
    assert json.loads(scenecast(home, "jobs", "--json", "--state", "failed").stdout) == []
    token = json.loads(scenecast(home, "token", "--json").stdout)
    assert token["url"] == bridge["url"] and len(token["token"]) >= 32
    over = scenecast(home, "cancel", jobs[0]["job_id"])
    assert over.returncode == 1 and "finished" in over.stderr.replace("\n", " ")
    dry = json.loads(scenecast(home, "gc", "--down-to", "0", "--dry-run", "--json").stdout)
    wet = json.loads(scenecast(home, "gc", "--down-to", "0", "--json").stdout)
    assert dry["assets"] >= 1 and wet == {**dry, "dry_run": False} and wet["left_bytes"] == 0
    beside = scenecast(home, "gc", "--data-dir", home["SCENECAST_DATA_DIR"])
    assert beside.returncode == 1 and "another bridge" in beside.stderr


def test_a_cancelled_job_is_gone(home: dict[str, str], bridge: dict[str, Any], tmp_path: Path) -> None:
    """Ctrl-C in one terminal, `scenecast cancel` in another."""
    command = [sys.executable, "-m", "bridge.cli", "run", "mesh.terrain", "-p", "grid=1024", "-p", "texture_px=4096"]
    for how in ("ctrl-c", "cancel"):
        begun = json.loads(scenecast(home, "jobs", "--json").stdout)
        with subprocess.Popen(
            [*command, "--seed", str(len(begun)), "--out", str(tmp_path)], env=home, stderr=subprocess.PIPE, text=True
        ) as process:
            job = running_job(home, len(begun))
            if how == "ctrl-c":
                process.send_signal(signal.SIGINT)
            else:
                done = scenecast(home, "cancel", job)
                assert done.returncode == 0, done.stderr
            _, words = process.communicate(timeout=SECS)
        assert process.returncode == (130 if how == "ctrl-c" else 1) and "cancelled" in words
        [row] = [row for row in json.loads(scenecast(home, "jobs", "--json").stdout) if row["job_id"] == job]
        assert row["state"] == "cancelled"
    assert not list(tmp_path.iterdir())


def running_job(home: dict[str, str], before: int) -> str:
    end = time.monotonic() + SECS
    while time.monotonic() < end:
        rows = json.loads(scenecast(home, "jobs", "--json").stdout)
        if len(rows) > before and rows[0]["state"] == "running":
            return str(rows[0]["job_id"])
        time.sleep(0.1)
    raise AssertionError("the job did not start")


def test_doctor_finds_nothing_wrong_with_a_running_bridge(home: dict[str, str], bridge: dict[str, Any]) -> None:
    done = scenecast(home, "doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0, [one for one in found["findings"] if one["state"] == "problem"]
    whats = {one["what"]: one for one in found["findings"]}
    assert whats["security"]["state"] == "ok" and bridge["url"] in whats["bridge"]["words"]
    assert {f"host {name}" for name in ("blender", "unity", "unreal", "web")} <= whats.keys()


def test_doctor_names_a_damaged_asset(tmp_path: Path, home: dict[str, str]) -> None:
    from bridge.cli.checks import check_settings_and_store

    own = {**home, "SCENECAST_DATA_DIR": str(tmp_path / "data"), "SCENECAST_RUNTIME_DIR": str(tmp_path / "run")}
    (tmp_path / "run").mkdir(mode=0o700)
    assert scenecast(own, "run", "image.noise", "-p", "size_px=64", "--out", str(tmp_path)).returncode == 0
    blobs = [path for path in (tmp_path / "data" / "store" / "blobs").rglob("*") if path.is_file()]
    largest = max(blobs, key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    largest.write_bytes(b"damaged")
    states = {one.state: one for one in check_settings_and_store(tmp_path / "data")}
    assert "hashes to" in states["problem"].words and states["problem"].remedy


def test_gc_says_first_and_does_then(tmp_path: Path, home: dict[str, str]) -> None:
    own = {**home, "SCENECAST_DATA_DIR": str(tmp_path / "data"), "SCENECAST_RUNTIME_DIR": str(tmp_path / "run")}
    (tmp_path / "run").mkdir(mode=0o700)
    assert scenecast(own, "run", "image.noise", "-p", "size_px=128", "--out", str(tmp_path)).returncode == 0
    store = tmp_path / "data" / "store"
    dry = json.loads(scenecast(own, "gc", "--dry-run", "--down-to", "1kB", "--json").stdout)
    assert dry["assets"] == 1 and len(list((store / "assets").iterdir())) == 1
    wet = json.loads(scenecast(own, "gc", "--down-to", "1kB", "--json").stdout)
    assert {**wet, "dry_run": True} == dry
    assert not list((store / "assets").iterdir()) and wet["freed_bytes"] > 1000
    assert scenecast(own, "gc", "--down-to", "lots").returncode == 2


def test_token_rotation_keeps_the_other_settings(tmp_path: Path, home: dict[str, str]) -> None:
    path = tmp_path / "scenecast.toml"
    path.write_text('port = 7000\ntoken = "old"\n[[watched_folders]]\npath = "/x"\n')
    own = {**home, "SCENECAST_CONFIG": str(path)}
    first = json.loads(scenecast(own, "token", "--rotate", "--json").stdout)["token"]
    second = json.loads(scenecast(own, "token", "--rotate", "--json").stdout)["token"]
    assert first != second and len(second) >= 32
    assert path.read_text() == f'token = "{second}"\nport = 7000\n[[watched_folders]]\npath = "/x"\n'
    assert path.stat().st_mode & 0o077 == 0


def test_the_demo_makes_every_kind(tmp_path: Path, home: dict[str, str]) -> None:
    done = scenecast(home, "demo", "--out", str(tmp_path), "--budget-secs", "60", "--host", "unreal", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    kinds = {one["kind"] for one in said["made"]}
    late = " ".join(one["what"] for one in said["skipped"] if "time was up" in one["why"])
    assert {"image", "sound", "mesh"} <= kinds
    assert kinds >= {"material", "clip", "splats"} or late, "what is missing is owned up to"
    page = (tmp_path / "index.html").read_text("utf-8")
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert sheet.width > 400 and sheet.height > 400
    for one in said["made"]:
        assert one["title"] in page
        for name in one["files"]:
            assert (tmp_path / one["folder"] / name).stat().st_size > 0
            assert f"{one['folder']}/{name}" in page
    assert "http" not in page.replace("http-equiv", ""), "the page asks nobody for anything"
