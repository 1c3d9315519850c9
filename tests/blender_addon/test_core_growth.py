"""Which version of a growing cloud is worth showing, and what a run on its way can be asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from blender_addon.core.growth import LEAST_SECS, PAUSE, Growing
from blender_addon.core.panel_model import job_row
from blender_addon.core.runs import Made, Order, Run
from blender_addon.core.targets import Target

FILE = "/scenes/house.blend"


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


def cloud(**more: Any) -> Any:
    values = {"stream": "s", "version": 0, "changes": 1, "slots": 64, "sh_degree": 0, "final": False}
    return SimpleNamespace(**{**values, **more})


def watched(growing: Any, **order: Any) -> Any:
    run = Run(Order("splats.from_photos", title="Splats", file=FILE, **order), state="running", job_id="job-1", seed=7)
    return run, [(run, SimpleNamespace(cloud=growing))]


def test_of_the_first_version_every_piece_is_shown_and_of_later_ones_the_whole() -> None:
    clock, now = Clock(), cloud()
    growing = Growing(clock=clock)
    run, pairs = watched(now)
    news = growing.news(pairs, FILE)
    assert news is not None and not news.again and news.making.job_id == "job-1" and news.making.seed == 7
    growing.shown(news, there=True, held_secs=0.0)
    assert growing.news(pairs, FILE) is None
    now.changes, clock.now = 2, clock.now + LEAST_SECS
    again = growing.news(pairs, FILE)
    assert again is not None and again.again, "another piece of the first version"
    growing.shown(again, there=True, held_secs=0.1)
    now.version, now.changes = 1, 3
    clock.now += PAUSE * 0.1 - 0.01
    assert growing.news(pairs, FILE) is None, "what held Blender for long waits long"
    clock.now += 0.02
    whole = growing.news(pairs, FILE)
    assert whole is not None
    growing.shown(whole, there=True, held_secs=0.0)
    now.changes, clock.now = 4, clock.now + 10
    assert growing.news(pairs, FILE) is None, "the second version is on its way, not here"
    now.version = 2
    assert growing.news(pairs, FILE) is not None and growing.versions(run.key) == 3


@pytest.mark.parametrize(
    "change", [{"slots": 0}, {"final": True}, {"sh_degree": 3}], ids=["nothing yet", "finished", "finishing"]
)
def test_what_is_no_version_on_the_way_is_not_shown(change: dict[str, Any]) -> None:
    _, pairs = watched(cloud(**change))
    assert Growing().news(pairs, FILE) is None


def test_only_in_its_own_file_and_only_where_a_new_object_is_wanted() -> None:
    _, pairs = watched(cloud())
    assert Growing().news(pairs, "/scenes/other.blend") is None
    _, pairs = watched(cloud(), target=Target("replace_selected"))
    assert Growing().news(pairs, FILE) is None
    run, pairs = watched(cloud())
    run.cancelling = True
    assert Growing().news(pairs, FILE) is None


def test_what_was_deleted_is_left_alone_and_what_ends_badly_is_told_once() -> None:
    clock = Clock()
    growing, now = Growing(clock=clock), cloud()
    run, pairs = watched(now)
    news = growing.news(pairs, FILE)
    assert news is not None
    growing.shown(news, there=False, held_secs=0.0)
    now.version, clock.now = 1, clock.now + 10
    assert growing.news(pairs, FILE) is None
    assert growing.ended([run], FILE) == []
    run.state = "cancelled"
    assert growing.ended([run], "/scenes/other.blend") == []
    assert growing.ended([run], FILE) == [run] and growing.ended([run], FILE) == []


def test_another_file_begins_anew() -> None:
    growing, now = Growing(), cloud()
    run, pairs = watched(now)
    news = growing.news(pairs, FILE)
    assert news is not None and not news.again
    growing.shown(news, there=False, held_secs=0.0)
    growing.file_opened()
    news = growing.news(pairs, FILE)
    assert news is not None and not news.again, "what stands in the file that was opened is not known yet"
    run.state = "failed"
    assert Growing().ended([run], FILE) == [run], "also what an earlier Blender has shown"


def test_a_run_of_another_file_says_so_and_can_be_brought_here() -> None:
    run = Run(Order("a.b", kind="splats"), state="running", notes=["blurred"])
    row = job_row(run, connected=True, elsewhere="house.blend")
    assert row.buttons[0] == "here" and row.detail == (
        "Blurred.", "Its result goes into house.blend, where it was asked for.")  # fmt: skip
    assert "here" not in job_row(run, connected=True).buttons


@pytest.mark.parametrize(
    "steered, cancelling, buttons, line",
    [
        ("", False, ("pause", "finish", "cancel"), "Training · 40%"),
        ("paused", False, ("resume", "finish", "cancel"), "Paused · 40%"),
        ("finishing", False, ("cancel",), "Finishing · 40%"),
        ("", True, ("cancel",), "Cancelling …"),
    ],
)
def test_a_run_on_its_way_can_be_steered(steered: str, cancelling: bool, buttons: Any, line: str) -> None:
    run = Run(Order("a.b"), state="running", fraction=0.4, stage="training", steered=steered, cancelling=cancelling)
    row = job_row(run, connected=True, steers=["pause", "finish"])
    assert (row.buttons, row.line) == (buttons, line)
    assert job_row(run, connected=False, steers=["pause", "finish"]).buttons == ("cancel",)


def test_what_is_done_can_be_gone_on_from_or_looked_at() -> None:
    run = Run(Order("a.b"), state="done", assets=[Made("d" * 64, "splats", "fox")], landed={"d" * 64: "Placed"})
    assert "further" in job_row(run, connected=True, steers=["further"]).buttons
    assert "further" not in job_row(run, connected=True).buttons
    field = Run(Order("a.b"), state="done", assets=[Made("d" * 64, "field", "fox")], landed={"d" * 64: "Ready"})
    row = job_row(field, connected=True, steers=["view"])
    assert "view" in row.buttons and "place" not in row.buttons
