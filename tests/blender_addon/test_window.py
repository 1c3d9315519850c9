"""The panel in a Blender with a window: what is seen, and that the add-on's own timer does the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bridge.cli import blender_addon
from tests.blender_addon.cases.serving import Serving

DRIVE = Path(__file__).parent / "cases" / "window_drive.py"
PROGRAM = os.environ.get("BLENDER_WITH_WINDOW", "")
NEEDED = (
    "BLENDER_WITH_WINDOW names no program: set it to a Blender (4.2 or newer, started with --factory-startup …) that "
    "can open a window, or to a script that starts one in xvfb-run; ImageMagick and xdotool are needed beside it"
)


def live_is_seen(folder: Path, seen: dict[str, Any]) -> None:
    """The picture lies over the viewport, turns with it while the next one is awaited, and is gone at the end."""
    told = seen["live"]
    assert told["fault"] == "" and told["drawn"] > 5 and told["per_sec"] > 0
    for generator in ("live.retexture", "live.painterly"):
        answered, fault, title = seen[generator]
        assert answered > 0 and fault == "" and title.startswith("Live"), generator
    assert seen["live stopped"] == ["closed", True, True]
    shots = {name: np.asarray(Image.open(folder / f"{name}.png").convert("RGB"), np.int16)[120:860, 120:820]
             for name in ("live", "live_turned", "live_waiting", "live_stopped")}  # fmt: skip
    if told["generator"] == "fake.invert":  # the plain background, which nothing else is drawn on
        plain = np.asarray(Image.open(folder / "live_stopped.png").convert("RGB"), np.int16)[700, 300]
        assert np.abs(shots["live"][580, 180] - (255 - plain)).max() < 12, "the colours are bent"
    for before, after in (("live", "live_turned"), ("live_turned", "live_waiting"), ("live_waiting", "live_stopped")):
        changed = np.abs(shots[before] - shots[after]).max(axis=2) > 24
        assert changed.mean() > 0.003, f"{after} looks like {before}"


def driven(folder: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> dict[str, Any]:
    """What a Blender with a window saw while it was driven through that part."""
    archive = blender_addon.build(folder / "scenecast.zip")
    (folder / "inputs.json").write_text(json.dumps({"archive": str(archive), "part": part}), "utf-8")
    monkeypatch.setenv("SCENECAST_RUNTIME_DIR", str(folder / "runtime"))
    monkeypatch.setenv("BLENDER_USER_RESOURCES", str(folder / "blender_user"))
    (folder / "blender_user").mkdir()
    command = [PROGRAM, "--factory-startup", "--window-geometry", "0", "0", "1400", "1000", "--python", str(DRIVE),
               "--", str(folder)]  # fmt: skip
    with Serving(sys.executable, folder):
        done = subprocess.run(command, capture_output=True, text=True, timeout=560)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    return seen


@pytest.mark.hosts
@pytest.mark.timeout(700)
@pytest.mark.skipif(not PROGRAM, reason=NEEDED)
def test_a_cloud_grows_in_a_window_and_is_seen_as_it_truly_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = driven(tmp_path, monkeypatch, "cloud")
    said, turned, name = seen["grown"]
    assert "updated in" in said[0] and turned == 0.35, "the artist's own turn stays"
    assert seen["view.splats"][0] > 0 and seen["view.splats"][1:] == ["", name]
    assert seen["solid"] == [["FLAT", "VERTEX"], ["STUDIO", "MATERIAL"]], "and back again"
    assert min(bars(tmp_path / "live_splats.png")) > 300
    assert min(bars(tmp_path / "grown_coloured.png")) > 200
    assert max(bars(tmp_path / "grown.png")[1:]) < 100, "grey, but for the outline"


def bars(path: Path) -> list[int]:
    """Pixels of the red, the green and the blue bar."""
    shot = np.asarray(Image.open(path).convert("RGB"), np.int16)[120:860, 120:820]
    apart = [shot[..., place] - np.delete(shot, place, axis=2).max(axis=2) for place in range(3)]
    return [int((each > 60).sum()) for each in apart]


@pytest.mark.hosts
@pytest.mark.timeout(700)
@pytest.mark.skipif(not PROGRAM, reason=NEEDED)
def test_the_panel_in_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = driven(tmp_path, monkeypatch, "panel")
    assert seen["caught at work"] == "running"
    assert seen["landed"] == ["Placed on Cube"] and seen["worn"] == "wet mossy red bricks"
    assert seen["failed"] == "the fake was told to fail: expected nothing, got this"
    assert seen["after undo"] == "Material", "one step back, and the cube wears what it wore before"
    pictures = {name: np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB"), np.int16)
                for name in ("idle", "generating", "done", "failed")}  # fmt: skip
    for name, pixels in pictures.items():
        assert pixels.std() > 10, f"{name} is blank"
    for before, after in (("idle", "generating"), ("generating", "done"), ("done", "failed")):
        changed = np.abs(pictures[before] - pictures[after]).max(axis=2) > 24
        assert changed.mean() > 0.002, f"{after} looks like {before}"
    bricks = pictures["done"][:, : pictures["done"].shape[1] // 2]
    shown = json.loads(json.dumps(seen["viewport"]))
    assert shown[2] == "" and max(shown[1].values()) == 640
    with Image.open(shown[0]) as taken:
        assert taken.size == (shown[1]["width_px"], shown[1]["height_px"])
        assert np.asarray(taken).std() > 5, "the viewport's picture is blank"
    live_is_seen(tmp_path, seen)
    red = (bricks[..., 0] > bricks[..., 1] + 25) & (bricks[..., 0] > bricks[..., 2] + 25)
    assert red.sum() > 1000, "no bricks on the cube"


@pytest.mark.hosts
@pytest.mark.timeout(700)
@pytest.mark.skipif(not PROGRAM, reason=NEEDED)
def test_the_scene_stays_usable_under_a_live_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = driven(tmp_path, monkeypatch, "overlay")
    assert seen["overlay"][0] == "" and seen["overlay"][1] > 3
    shots = {name: np.asarray(Image.open(tmp_path / f"over_{name}.png").convert("RGB"), np.int16)
             for name in ("newcomer", "surfaces", "split", "edited", "plain")}  # fmt: skip
    left, right, ground, newcomer = (427, 505), (427, 640), (673, 224), (625, 770)  # row, column

    def covered(shot: str, place: tuple[int, int]) -> bool:
        return bool(np.abs(shots[shot][place] - shots["plain"][place]).max() > 12)

    assert [covered("newcomer", place) for place in (left, right, ground)] == [True] * 3
    assert not covered("newcomer", newcomer), "what has come nearer since is not hidden"
    assert [covered("surfaces", place) for place in (left, right, ground)] == [True, True, False]
    assert [covered("split", place) for place in (left, right, ground)] == [False, True, False]
    bright = [int(shots[name][ground].max()) for name in ("plain", "edited", "newcomer")]
    assert bright[0] + 20 < bright[1] < bright[2] - 20, "in Edit Mode half of it"
    assert gizmo(shots["surfaces"]) > 20 and gizmo(shots["split"]) > 20, "gizmos stay on top"


def gizmo(shot: Any) -> int:
    """Pixels of the move gizmo's blue arrow and red arrow in the viewport, right of the middle and under the top."""
    part = shot[380:720, 600:880]
    red, green, blue = (part[..., band] for band in range(3))
    return int(min(((blue > red + 80) & (blue > 180)).sum(), ((red > green + 100) & (red > blue + 60)).sum()))
