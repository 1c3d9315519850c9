"""Folders packed in small steps, and the places of cameras around a thing."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blender_addon.core.orbit import FOV_DEG, transforms_json, viewpoints
from blender_addon.core.packing import STEP_BYTES, Packing
from blender_addon.core.runs import Order, Source
from python_client import ScenecastError, folders


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder as people have them: some large, some below, some that do not belong."""
    folder = tmp_path / "Holiday photos"
    (folder / "more").mkdir(parents=True)
    for name, size in (("a.JPG", 3 * STEP_BYTES + 7), ("more/b.png", STEP_BYTES), ("more/c.webp", 0), ("d.txt", 9)):
        (folder / name).write_bytes(np.random.default_rng(size).bytes(size))
    (folder / "transforms.json").write_text("{}")
    return folder


def test_a_folder_is_packed_in_steps_to_the_clients_own_bytes(photographs: Path, tmp_path: Path) -> None:
    packing = Packing(str(photographs), tmp_path / "somewhere" / "capture.zip")
    steps = 0
    while not packing.step():
        steps += 1
    assert steps >= 6 and packing.packed_bytes == packing.size_bytes == 4 * STEP_BYTES + 9
    folders.pack(str(photographs), str(tmp_path / "whole.zip"))
    assert packing.archive.read_bytes() == (tmp_path / "whole.zip").read_bytes()


def test_a_step_is_short(photographs: Path, tmp_path: Path) -> None:
    """No step reads more than its megabyte, however large a photograph is."""
    packing = Packing(str(photographs), tmp_path / "capture.zip")
    before = 0
    while not packing.step():
        assert packing.packed_bytes - before <= STEP_BYTES
        before = packing.packed_bytes


def test_folders_that_cannot_be_packed_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScenecastError, match="holds no photographs"):
        Packing(str(tmp_path / "empty"), tmp_path / "a.zip")
    with pytest.raises(ScenecastError, match="cannot be read"):
        Packing(str(tmp_path / "nowhere"), tmp_path / "a.zip")


def test_a_full_disk_and_a_lost_photograph_leave_nothing(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Packing(str(photographs), tmp_path / "lost.zip")
    (photographs / "more" / "b.png").unlink()
    with pytest.raises(ScenecastError, match="No such file"):
        while not lost.step():
            pass
    full = Packing(str(photographs), tmp_path / "full.zip")

    class Full:
        def read(self, size: int) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            pass

    full.step()
    assert full._source is not None
    full._source.close()
    full._source = Full()  # type: ignore[assignment]
    with pytest.raises(ScenecastError, match="No space left"):
        full.step()
    assert not (tmp_path / "lost.zip").exists() and not (tmp_path / "full.zip").exists()


@pytest.mark.parametrize("count", [8, 40, 400])
def test_cameras_stand_all_around_and_see_the_whole_sphere(count: int) -> None:
    centre, radius = np.array([3.0, -1.0, 2.0]), 0.7
    poses = np.array(viewpoints(count, centre.tolist(), radius))
    turns = poses[:, :3, :3]
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-12)
    away = poses[:, :3, 3] - centre
    distance = np.linalg.norm(away, axis=1)
    np.testing.assert_allclose(turns[:, :, 2] * distance[:, None], away, atol=1e-12)
    assert np.all(np.arcsin(radius / distance) < np.radians(FOV_DEG) / 2), "the sphere is in the picture"
    assert np.all(turns[:, 2, 1] > 0), "no camera hangs upside down"
    nearest = np.sort(np.linalg.norm(away[:, None] - away[None], axis=2), axis=1)[:, 1]
    assert nearest.min() > 0.6 * nearest.max(), "spread evenly"


def test_what_is_written_is_read_as_meant() -> None:
    poses = viewpoints(3, (0, 0, 0), 1.0)
    tree: dict[str, Any] = json.loads(transforms_json(poses, ["a.png", "b.png", "c.png"], 200))
    assert [frame["file_path"] for frame in tree["frames"]] == ["a.png", "b.png", "c.png"]
    np.testing.assert_allclose(tree["frames"][1]["transform_matrix"], poses[1])
    assert tree["w"] / 2 / tree["fl_x"] == pytest.approx(np.tan(np.radians(FOV_DEG) / 2))


def test_the_hub_packs_sends_and_clears_up(desk: Any, photographs: Path) -> None:
    """A folder becomes the request's input by its digest; nothing of the zip stays; a bad folder fails in words."""
    one = desk()
    source = {"photos": Source("Holiday photos", kind="capture", path=str(photographs))}
    run = one.hub.submit(Order("test.echo", inputs=source))
    assert run.state == "sending"
    one.until(lambda: run.state == "done" or run.state == "failed")
    assert run.state == "done", run.error
    assert run.order.inputs["photos"].digest and photographs.exists()
    assert not list(one.slot.inputs.rglob("*.zip"))
    bad = one.hub.submit(Order("test.echo", inputs={"photos": Source("gone", path=str(photographs / "gone"))}))
    assert (bad.state, bad.remedy) == ("failed", "Pick the input again.")


def test_a_cancel_while_packing_and_while_taking_leaves_nothing(desk: Any, photographs: Path) -> None:
    one = desk()
    source = {"photos": Source("Holiday photos", path=str(photographs))}
    run = one.hub.submit(Order("test.echo", inputs=source))
    one.hub.cancel(run.key)
    assert run.state == "cancelled" and not list(one.slot.inputs.rglob("*.zip"))
    taking = one.hub.submit(Order("test.echo", inputs=source), later=True)
    one.hub.capturing(taking.key, 0.5, "view 4 of 8")
    assert (taking.state, taking.fraction) == ("capturing", 0.5)
    one.restart()
    (kept,) = [each for each in one.hub.runs if each.key == taking.key]
    assert kept.state == "failed" and "Blender was closed" in kept.error
    fresh = one.hub.submit(Order("test.echo", inputs=source), later=True)
    one.hub.captured(fresh.key, {})
    one.until(lambda: fresh.over)
    assert fresh.state == "done"
