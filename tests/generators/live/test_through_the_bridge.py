"""The embedded live generators through a real bridge, its worker and the Python client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from generators.live.painterly import Painter
from generators.live.retexture import Dresser
from generators.live.specs import PainterlyParams, RetextureParams
from python_client import Client, LivePicture, connect, discovery
from tests.generators.live.scenes import camera, room

WIDTH, HEIGHT = 96, 72


@contextmanager
def bridge(folder: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    command = [sys.executable, "-m", "bridge", "--port", str(port), "--json", "--data-dir", str(folder / "data")]
    environment = {**os.environ, "SCENECAST_PREPARE": "false"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        assert process.stdout is not None and process.stdout.readline()
        yield process, process.pid
    finally:
        process.terminate()
        process.wait(120)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv(discovery.RUNTIME_DIR_VARIABLE, str(tmp_path / "run"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def pixels(picture: LivePicture) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.frombuffer(picture.data, np.uint8).reshape(picture.height_px, picture.width_px, picture.components)


def numbers(view: object) -> dict[str, object]:
    matrix = view.world_from_camera  # type: ignore[attr-defined]
    fov = float(2 * np.degrees(np.arctan(0.5)))  # the room's camera: a focal length of its height
    return {"world_from_camera": matrix.ravel().tolist(), "fov_y_deg": fov, "near_m": 0.1, "far_m": 100.0}


def paint(client: Client) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    live = client.live("live.painterly", {"stroke_px": 6.0}, width_px=WIDTH, height_px=HEIGHT, seed=5)
    shown = pixels(live.answer_to(live.push(colour=codes), 120))
    assert np.array_equal(shown, Painter(5).paint(codes, PainterlyParams(stroke_px=6.0)))
    again = pixels(live.answer_to(live.push(params={"stroke_px": 12.0}), 120))
    assert np.array_equal(again, Painter(5).paint(codes, PainterlyParams(stroke_px=12.0)))
    live.close()
    live.wait_until(lambda one: one.over, 120)


def dress(client: Client) -> None:
    view = camera(WIDTH, HEIGHT)
    depth, normal = room(view)
    near, far = 0.1, 100.0
    window = np.where(np.isfinite(depth), far / (far - near) * (1 - near / depth), 1.0).astype("<f4")
    params = {"material": "red bricks", "texture_px": 256}
    live = client.live("live.retexture", params, width_px=WIDTH, height_px=HEIGHT, bottom_up=True, seed=2)
    frame = live.push(depth=window[::-1].copy(), depth_space="window", camera=numbers(view), bottom_up=True)
    shown = pixels(live.answer_to(frame, 120))[::-1]
    own = Dresser(2).dress(depth, None, view, RetextureParams(material="red bricks", texture_px=256))
    assert np.abs(shown.astype(int) - own).mean() < 3  # depth came through a buffer of 0..1
    exact = live.push(depth=depth, normal=normal, normal_dtype="<f4", camera=numbers(view))
    twin = Dresser(2).dress(depth, normal, view, RetextureParams(material="red bricks", texture_px=256))
    assert np.array_equal(pixels(live.answer_to(exact, 120))[::-1], twin)
    live.close()


def look(client: Client) -> None:
    rock = client.submit("mesh.rock", seed=3, host="")
    rock.wait(120)
    cloud = client.submit("splats.from_mesh", inputs={"mesh": rock.assets[0].digest}, count=2000, host="")
    cloud.wait(120)
    live = client.live("view.splats", inputs={"splats": cloud.assets[0]}, width_px=WIDTH, height_px=HEIGHT, alpha=True)
    shown = pixels(live.answer_to(live.push(camera=numbers(camera(WIDTH, HEIGHT, (1.5, 1.0, 2.0)))), 120))
    cover = shown[..., 3]
    assert shown.shape[2] == 4 and cover[HEIGHT // 2, WIDTH // 2] > 200 and cover[0, 0] == 0
    live.close()


def test_every_embedded_live_generator_answers_and_a_killed_bridge_is_survived(folder: Path) -> None:
    with bridge(folder) as (process, pid), connect() as client:
        assert {row.id for row in client.generators if row.live} >= {"live.painterly", "live.retexture", "view.splats"}
        paint(client)
        dress(client)
        look(client)
        codes = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        live = client.live("live.painterly", width_px=WIDTH, height_px=HEIGHT, seed=1)
        before = pixels(live.answer_to(live.push(colour=codes), 120))
        os.kill(pid, signal.SIGKILL)
        process.wait()
        client.drive(lambda: live.state == "lost", 120, "the loss")
        with bridge(folder):
            client.drive(lambda: live.answered >= 2, 120, "the session's return")
            assert live.image is not None and np.array_equal(pixels(live.image), before)
