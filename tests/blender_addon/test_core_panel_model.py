"""What the panel says, word for word."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.core import panel_model as model
from blender_addon.core.runs import Made, Order, Run, RunState
from python_client import ConnectionState
from python_client.messages import Generator, Port


def generator(identifier: str, kind: str, **more: object) -> Generator:
    return Generator(id=identifier, title=identifier.title(), promise="Makes it.", gives=[kind], **more)  # type: ignore[arg-type]


def run(state: RunState, **more: object) -> Run:
    order = Order("material.x", title="Stone maker", hint="Stone maker: granite", kind="material")
    one = Run(order, state=state, key="k")
    for name, value in more.items():
        assert hasattr(one, name)
        setattr(one, name, value)
    return one


def test_every_state_of_the_connection_says_what_to_do() -> None:
    row = model.connection_row(ConnectionState("connected"), server="scenecast 9")
    assert (row.tone, row.title, row.can_retry) == ("good", "Connected to scenecast 9", False)
    row = model.connection_row(ConnectionState("connected"), trouble="This session cannot be kept: no space")
    assert (row.tone, row.cause, row.remedy) == (
        "bad", "This session cannot be kept: no space", "Make room on that disk, and let Blender write there.",
    )  # fmt: skip
    assert model.connection_row(ConnectionState("connecting")).tone == "busy"
    row = model.connection_row(ConnectionState("waiting", "no bridge is running (looked in /x)", "Start it.", 3.0))
    assert (row.title, row.remedy) == ("No bridge is running", "In a terminal, type: scenecast serve")
    row = model.connection_row(
        ConnectionState("waiting", "it refused the token", "show it with `scenecast token`", 3.2)
    )
    assert row == model.ConnectionRow(
        "bad", "Trying again in 4 s", "It refused the token.", "Show it with `scenecast token`.", True
    )
    row = model.connection_row(ConnectionState("offline"))
    assert (row.title, row.can_retry) == ("Offline", True)


def test_categories_come_in_one_order_and_unknown_kinds_last() -> None:
    rows = [generator("s", "sound"), generator("q", "hologram"), generator("m", "material"), generator("n", "material")]
    assert [(one.kind, one.title, one.tip) for one in model.categories(rows)] == [
        ("material", "Material", "Material: M, N"), ("sound", "Sound", "Sound: S"),
        ("hologram", "Hologram", "Hologram: Q"),
    ]  # fmt: skip
    assert model.categories([]) == []


def test_generators_that_cannot_run_come_last_with_their_reason() -> None:
    rows = [generator("a", "mesh", available=False, reason="it needs 6 GB"), generator("b", "mesh"),
            generator("c", "image")]  # fmt: skip
    assert [(one.id, one.available, one.reason) for one in model.generator_rows(rows, "mesh")] == [
        ("b", True, ""), ("a", False, "It needs 6 GB."),
    ]  # fmt: skip


def test_ports_are_named_in_words() -> None:
    (row, other) = model.port_rows([Port("base_mesh", ["mesh", "image"]), Port("b", ["splats"], True, "Some help.")])
    assert (row.title, row.tip, row.optional) == ("Base mesh", "A mesh or an image", False)
    assert (other.tip, other.optional) == ("Some help.", True)


@pytest.mark.parametrize(
    ("one", "line", "fraction", "buttons"),
    [
        (run("sending", fraction=0.25), "Sending the input", 0.25, ("cancel",)),
        (run("submitting"), "Asking …", None, ("cancel",)),
        (run("queued"), "Waiting, next in line", None, ("cancel",)),
        (run("queued", ahead=1), "Waiting, 1 job ahead", None, ("cancel",)),
        (run("queued", ahead=3), "Waiting, 3 jobs ahead", None, ("cancel",)),
        (run("running"), "Starting", 0.0, ("cancel",)),
        (run("running", fraction=0.456, stage="base_color", eta_secs=2.1), "Base color · 46% · 3 s left", 0.456,
         ("cancel",)),
        (run("receiving", fraction=0.5), "Receiving", 0.5, ("cancel",)),
        (run("running", cancelling=True), "Cancelling …", None, ("cancel",)),
        (run("cancelled"), "Cancelled", None, ("retry", "parameters", "dismiss")),
        (run("failed", error="boom"), "Failed", None, ("retry", "parameters", "copy_error", "dismiss")),
    ],
)  # fmt: skip
def test_where_a_run_stands(one: Run, line: str, fraction: float | None, buttons: tuple[str, ...]) -> None:
    row = model.job_row(one, connected=True)
    assert (row.line, row.fraction, row.buttons) == (line, fraction, buttons)
    assert row.title == "Stone maker: granite"


@pytest.mark.parametrize("state", ["sending", "submitting", "queued", "running", "receiving"])
def test_without_a_bridge_everything_waits_for_it(state: RunState) -> None:
    assert model.job_row(run(state), connected=False).line == "Waiting for the bridge"


def test_a_result_says_where_it_went_and_why_it_could_not() -> None:
    assets = [Made("d1", "material", "granite")]
    done = run("done", assets=assets)
    assert model.job_row(done, connected=True).line == "Placing …"
    assert model.job_row(done, connected=True, waits_for="made for another file").line == "Ready, made for another file"
    done.landed["d1"] = "Placed on Cube"
    row = model.job_row(done, connected=False)
    assert (row.line, row.tone, row.title) == ("Placed on Cube", "good", "granite")
    assert row.buttons == ("place", "new_seed", "parameters", "dismiss")
    done.landed.clear()
    done.misplaced["d1"] = ["no object is active", "select one"]
    row = model.job_row(done, connected=True)
    assert (row.line, row.tone, row.detail) == ("Not placed", "bad", ("No object is active.", "Select one."))
    assert "place" in row.buttons and "copy_error" in row.buttons
    field = run("done", assets=[Made("d", "field", "x")])
    assert model.job_row(field, connected=True).line == "Ready, an input for others"
    assert "place" not in model.job_row(field, connected=True).buttons
    assert model.job_row(field, connected=True, steers=["view"]).line == model.SEEN
    noted = run("failed", error="boom", remedy="Do it", notes=["one", "the cloud stays"])
    assert model.job_row(noted, connected=True).detail == ("Boom.", "Do it.", "The cloud stays.")
    assert model.job_row(run("cancelled", notes=["the cloud stays"]), connected=True).detail == ("The cloud stays.",)
    several = run("done", assets=[Made("a", "sound", "s"), Made("b", "sound", "s")], landed={"a": "x", "b": "y"})
    assert model.job_row(several, connected=True).line == "2 results placed"
    several.landed["a"] = model.KEPT
    assert model.job_row(several, connected=True).line == "y", "what is shown comes before what is kept"
    assert model.job_row(run("done"), connected=True).line == "It made nothing"


def test_failures_are_told_in_sentences_and_copied_whole() -> None:
    one = run("failed", error="the store is full", remedy="make room with `scenecast gc`", code="limit.store",
              job_id="j1", seed=7)  # fmt: skip
    assert model.job_row(one, connected=True).detail == ("The store is full.", "Make room with `scenecast gc`.")
    text = model.error_text(one)
    for part in ("Stone maker (material.x) failed", "the store is full", "limit.store", "j1", "seed: 7"):
        assert part in text


@pytest.mark.parametrize(
    ("secs", "words"), [(0.1, "1 s"), (99, "99 s"), (100.2, "2 min"), (3600, "1 h 0 min"), (3900, "1 h 5 min")]
)
def test_times_are_read_at_a_glance(secs: float, words: str) -> None:
    assert model.seconds_in_words(secs) == words


def test_how_long_ago() -> None:
    now = 1_700_000_000.0
    assert [model.when_in_words(now - gone, now) for gone in (5, 300)] == ["just now", "5 min ago"]
    assert ":" in model.when_in_words(now - 4000, now)
    assert model.when_in_words(now - 86400 * 3, now)[-3:].isalpha()


@settings(deadline=None)
@given(st.text(st.sampled_from("ab "), max_size=200), st.integers(5, 40))
def test_wrapping_keeps_every_word(text: str, columns: int) -> None:
    lines = model.wrapped(text, columns)
    assert all(0 < len(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    for before, after in pairwise(lines):
        assert len(before) + 1 + len(after.split()[0]) > columns or len(before) == columns


def test_a_placement_is_told_without_what_the_row_says_already() -> None:
    assert model.placed_line("material", "old oak", "Material old oak on Cube") == "Placed on Cube"
    assert model.placed_line("mesh", "rock", "1,000 splats as rock") == "1,000 splats as rock"
    assert model.placed_line("image", "noise", "Image noise") == "Kept in this file"
    assert model.placed_line("mesh", "rock", "") == "rock is in the scene"


def test_of_many_inputs_that_may_stay_empty_one_empty_one_is_shown() -> None:
    names = [("cloud", False), ("cloud2", False), ("cloud3", True), ("cloud4", True), ("cloud5", True), ("mask", True)]
    rows = [model.PortRow(name, name, "", ("splats",), optional) for name, optional in names]
    shown = [row.name for row in model.shown_ports(rows, {"cloud"})]
    assert shown == ["cloud", "cloud2", "cloud3", "mask"]
    shown = [row.name for row in model.shown_ports(rows, {"cloud", "cloud3", "cloud5"})]
    assert shown == ["cloud", "cloud2", "cloud3", "cloud4", "cloud5", "mask"]
    assert [row.title for row in model.port_rows([Port("cloud2", ["splats"]), Port("low_mesh", ["mesh"])])] == [
        "Cloud 2", "Low mesh",
    ]  # fmt: skip
