"""Images, clips and sounds placed in real Blender."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from engines.assets import Clip, Image, Sound
from engines.asymmetric import asymmetric_image
from engines.kinds import ColourSpace, Kind
from tests.blender_addon.blenders import Blender
from tests.blender_addon.deliveries import delivered
from tests.blender_addon.looking import patch, picture

FRAMES = 6


def test_an_image_goes_everywhere_once(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("picture_cases:pictures", tmp_path, image=delivered(asymmetric_image(64), tmp_path / "files"))
    assert seen["image"] == ["image", True, "Image asymmetric_f", False]
    assert seen["datablock"] == ["asymmetric_f", [64, 64], True, "sRGB"]
    assert seen["fake_user"]
    assert seen["undone"] == 0
    assert seen["texture_node"] == ["texture_node", True, "asymmetric_f", False]
    assert seen["named_node"] is False
    assert "Shader Editor" in seen["no_node"]
    assert "no camera" in seen["no_camera"]
    assert seen["camera"] == [True, True, 1] and seen["camera_again"] == [False, 1]
    assert seen["worn"] == [True, False]
    assert seen["images"] == 1, "one picture however many places show it"
    shot = picture(seen["picture"])
    for name, at in {0: (0.05, 0.95), 1: (0.95, 0.95), 2: (0.05, 0.05)}.items():
        assert int(np.argmax(patch(shot, *at))) == name


@pytest.mark.parametrize("form", ["mp4", "png_sequence"])
def test_a_clip_plays_and_is_saved_along(
    blender: Blender, form: Literal["mp4", "png_sequence"], tmp_path: Path
) -> None:
    """Frame k is a grey of its own, brighter on top, so that a wrong frame or a flip is seen."""
    frames = np.zeros((FRAMES, 32, 32, 3), np.uint8)
    for number in range(FRAMES):
        frames[number, :16], frames[number, 16:] = 40 + 30 * number, 10 + 15 * number
    files = delivered(Clip(frames, fps=24.0, loops=True, name="Steps"), tmp_path / "files", formats={Kind.CLIP: form})
    seen = blender.run("picture_cases:clip", tmp_path, clip=files, frames=FRAMES)
    assert seen["placed"] == ["active_slot", True, []]
    assert seen["again"] is False
    assert seen["image"] == ["MOVIE" if form == "mp4" else "SEQUENCE", "sRGB"]
    assert seen["user"] == [FRAMES, True, True, 1]
    for frame in (1, FRAMES, FRAMES + 1):
        number = (frame - 1) % FRAMES
        shot = picture(seen[f"frame_{frame}"]) * 255
        assert patch(shot, 0.5, 0.75).mean() == pytest.approx(40 + 30 * number, abs=7)
        assert patch(shot, 0.5, 0.25).mean() == pytest.approx(10 + 15 * number, abs=7)
    assert seen["waiting"]
    assert seen["camera"] == [True, FRAMES, True]
    assert seen["strip"] == [True, "sequencer", False]
    assert seen["more_strips"] == [True, True]
    assert seen["strips"] == [[5, FRAMES, 1], [6, FRAMES, 2], [5 + 10 * FRAMES, FRAMES, 1]]
    beside = str(tmp_path / "project" / "scenecast_media")
    assert len(seen["moved"]) == 4 and all(path.startswith(beside) for path in seen["moved"])
    assert len(list(Path(beside).rglob("*.*"))) == (1 if form == "mp4" else FRAMES)
    # At the last frame the sequencer shows the upper strip, which begins there with the clip's first picture.
    strip = patch(picture(seen["sequencer"]) * 255, 0.5, 0.75).mean()
    assert strip == pytest.approx(40, abs=7)
    last = patch(picture(seen["still_plays"]) * 255, 0.5, 0.75).mean()
    assert last == pytest.approx(40 + 30 * (FRAMES - 1), abs=7)
    assert seen["after_reload"] is False


def test_a_sound_is_heard_from_the_playhead(blender: Blender, tmp_path: Path) -> None:
    wave = np.sin(np.arange(24_000) / 20)[:, None].astype(np.float32) * 0.5
    files = delivered(Sound(wave, 48_000, name="Ping"), tmp_path / "files")
    seen = blender.run("picture_cases:sound", tmp_path, sound=files)
    if "refused" in seen:  # the Python module of 4.2 was built without sound
        assert blender.version == "4.2"
        assert all("built without sound" in said for said in seen["refused"])
        return
    assert seen["strip"] == ["sequencer", True, False]
    assert seen["strips"] == [["SOUND", 12, 1, True]]
    assert seen["undone"] == 0 and seen["redone"] == 1
    assert seen["speaker"] == [True, False, [1, 2, 3], [12]]
    assert seen["packed"]
    assert seen["reloaded"] == [False, False, True, 48_000]


def test_the_depth_of_a_view_never_takes_the_views_place(blender: Blender, tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 1), np.float32)
    view, depth = asymmetric_image(16), Image(pixels, ColourSpace.DATA, "Field depth")
    files: dict[str, Any] = {}
    for name, asset in (("view", view), ("depth", depth)):
        tree = json.loads(delivered(asset, tmp_path / name, name=f"Field {name}"))
        files[name] = json.dumps({**tree, "params": {"world_from_camera": list(range(16))}})
    seen = blender.run("picture_cases:view_and_depth", tmp_path, timeout_secs=300.0, **files)
    expected = [["Field view"], "image", [], True, "camera_background"]
    assert seen == {"view": expected, "depth": expected}, "whichever comes first"
