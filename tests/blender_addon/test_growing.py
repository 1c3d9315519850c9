"""A cloud that grows in the scene of real Blender, with a real bridge and a generator that takes its time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from blender_addon.core import splat_file
from bridge.cli import blender_addon
from engines.asymmetric import NAME, asymmetric_splats
from engines.colour import linear_from_srgb
from engines.hosts import host
from engines.spherical_harmonics import DC
from engines.transforms import frame_of, move_splats, rotation_matrices
from python_client import connect
from tests.blender_addon.blenders import Blender
from tests.blender_addon.cases.serving import Serving

pytestmark = pytest.mark.timeout(700)  # a worker that loads torch on a busy machine takes a minute


def test_it_grows_in_place_ends_exact_and_can_be_steered(blender: Blender, tmp_path: Path) -> None:
    archive = blender_addon.build(tmp_path / "scenecast.zip")
    seen = blender.run(
        "growing_cases:whole", tmp_path, timeout_secs=300, python=sys.executable, archive=str(archive)
    )  # fmt: skip
    grown = seen["grown"]
    assert grown["stood"] == [1, 2, 3] and grown["name"] == "Fake cloud"
    assert len(set(grown["counts"])) == 4 and grown["counts"] == sorted(grown["counts"]) and grown["versions"] >= 3
    turn, scale, view, modifiers = grown["kept"]
    assert (turn, scale, view, modifiers) == (0.5, [2, 2, 2], "My splats", 1), "the artist's own stays"
    assert grown["named"][0] == grown["named"][1] != "Fake cloud" and len(grown["named"][2]) == 2
    assert "updated in" in grown["said"] and grown["digest"]
    assert grown["undone"] == [False, False] and grown["redone"], "one step takes the whole cloud away"
    assert "further" in grown["further"][0] and grown["further"][1]
    assert grown["further order"][0] and grown["further order"][1] == grown["named"][0]
    assert grown["further kept"] == [[0.25, 0, 0], 2]
    is_exact(tmp_path / "cloud.npz")
    buttons = seen["steered"]["buttons"]
    assert buttons == [["pause", "finish", "cancel"], ["resume", "finish", "cancel"]]
    assert seen["steered"]["line"] == "Paused" and "1,604 splats" in seen["steered"]["said"]
    cancelled = seen["cancelled"]
    assert cancelled["line"] == "Cancelled" and cancelled["left"] == ["Fake cloud (unfinished)"]
    assert "undo takes it away" in cancelled["notes"][-1] and cancelled["undone"] == []
    assert seen["deleted"][0], "what the artist deletes does not come back while it grows"


@pytest.mark.parametrize("saved", [True, False], ids=["saved", "never saved"])
def test_the_next_blender_goes_on_with_the_cloud(blender: Blender, tmp_path: Path, saved: bool) -> None:
    archive, scene = blender_addon.build(tmp_path / "scenecast.zip"), str(tmp_path / "house.blend")
    with left_to_itself(tmp_path):
        before = blender.run("takeover_cases:first", tmp_path, archive=str(archive), scene=scene, saved=saved)
        after = blender.run("takeover_cases:second", tmp_path, scene=scene, saved=saved, versions=before["versions"])
    assert before["job"] == after["job"] and after["steers"] == ["pause", "finish", "cancel"]
    assert after["before"] == [[], True], "nothing is put into a file in which it was not asked for"
    location, turn, modifiers, objects = after["kept"]
    assert modifiers == 1 and "updated in" in after["said"]
    if saved:
        nothing, here, told, named, no_button = before["elsewhere"]
        assert (nothing, here, named, no_button) == (0, True, ["My cloud"], False)
        assert told == "Its result goes into house.blend, where it was asked for."
        assert (location, turn, objects) == ([0.25, 0, 0], [0, 0, 0.5], ["My cloud"]), "it stands as the artist left it"
        assert after["name"] == "My cloud" and after["count"] >= before["count"]
    else:
        assert (location, objects) == ([0, 0, 0], ["Fake cloud"]) and after["name"] == NAME
    is_exact(tmp_path / "cloud.npz")


def test_a_cloud_that_was_finished_while_no_blender_ran_ends_exact(blender: Blender, tmp_path: Path) -> None:
    archive, scene = blender_addon.build(tmp_path / "scenecast.zip"), str(tmp_path / "house.blend")
    with left_to_itself(tmp_path):
        blender.run("takeover_cases:first", tmp_path, archive=str(archive), scene=scene, saved=True, most=4)
        (tmp_path / "all").write_text("1000", "utf-8")
        (tmp_path / "all").replace(tmp_path / "versions_allowed")  # the generator may be reading it
        with connect() as client:
            while (state := client.jobs(any_owner=True)[0].state) == "running":
                time.sleep(0.05)
        assert state == "finished"
        after = blender.run("takeover_cases:ended_meanwhile", tmp_path, scene=scene)
    assert "updated in My cloud" in after["said"]
    assert (after["objects"], after["stands"]) == (["My cloud"], [0.25, 0, 0])
    is_exact(tmp_path / "cloud.npz")


@contextmanager
def left_to_itself(folder: Path) -> Iterator[None]:
    """A bridge that outlives the Blenders, found by them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCENECAST_RUNTIME_DIR", str(folder / "runtime"))
        with Serving(sys.executable, folder):
            yield


def is_exact(path: Path) -> None:
    """All values of the finished asset, in whatever order."""
    arrays, expected = np.load(path), move_splats(asymmetric_splats(), frame_of(host("blender")))
    assert len(arrays["position"]) == len(expected.positions)
    mine, theirs = (np.lexsort(np.round(each, 5).T) for each in (arrays["position"], expected.positions))
    np.testing.assert_allclose(arrays["position"][mine], expected.positions[theirs], atol=1e-6)
    np.testing.assert_allclose(arrays["splat_opacity"][mine, 0], expected.opacities[theirs], atol=1e-5)
    for band in range(16):
        np.testing.assert_allclose(arrays[f"sh_{band}"][mine], expected.sh[theirs, band], atol=1e-6)


def test_rows_on_their_way_mean_what_the_finished_cloud_means() -> None:
    """The same ellipsoids and colours as the delivery's own change of axes makes; free rows are nothing."""
    whole = asymmetric_splats()
    rows = np.concatenate(
        [whole.positions, whole.rotations, whole.scales, whole.opacities[:, None], whole.sh[:, 0]], axis=1
    ).astype(np.float32)
    rows = np.concatenate([rows, np.zeros((3, rows.shape[1]), np.float32)])
    live = np.concatenate([np.ones(len(whole.positions), np.uint8), np.zeros(3, np.uint8)])
    table = splat_file.of_rows(rows, live)
    expected = move_splats(whole, frame_of(host("blender")))
    count = len(whole.positions)
    np.testing.assert_allclose(table.positions[:count], expected.positions, atol=1e-6)
    np.testing.assert_allclose(covariances(table.rotations[:count], table.scales[:count]),
                               covariances(expected.rotations, expected.scales), atol=1e-6)  # fmt: skip
    colours = linear_from_srgb(np.clip(expected.sh[:, 0] * DC + 0.5, 0, 1))
    np.testing.assert_allclose(table.colours()[:count], colours, atol=1e-5)
    assert not table.opacities[count:].any() and (table.rotations[count:] == (1, 0, 0, 0)).all()


def covariances(rotations: NDArray[Any], scales: NDArray[Any]) -> NDArray[np.float64]:
    turns = rotation_matrices(rotations)
    found: NDArray[np.float64] = np.einsum("nij,nj,nkj->nik", turns, scales.astype(np.float64) ** 2, turns)
    return found
