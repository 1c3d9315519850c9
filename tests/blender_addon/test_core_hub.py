"""The hub on a real socket against the scripted bridge: every way a request can go, and Blender's own restarts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blender_addon.core import arrivals, json_file
from blender_addon.core import hub as hub_module
from blender_addon.core.history import History
from blender_addon.core.hub import Hub
from blender_addon.core.landing import Landing
from blender_addon.core.runs import Order, Run, Source
from blender_addon.core.slots import Slot
from blender_addon.core.targets import Target
from python_client import Client
from python_client.testing import GENERATOR, FakeBridge
from tests.blender_addon.desk import FILE, LARGE, Desk, broken, held, large, material


def order(**more: Any) -> Order:
    values = {"generator": "test.echo", "params": {"prompt": "old grey stone"}, "seed": 5, "title": "Stones",
              "label": "old grey stone", "kind": "material", "file": FILE,
              "target": Target(kind="active_slot", object_name="Cube")}  # fmt: skip
    return Order(**{**values, **more})


def test_a_request_becomes_a_result_with_its_place(desk: Callable[..., Desk]) -> None:
    one = desk()
    run = one.hub.submit(order())
    seen: set[str] = set()
    while not run.over:
        seen.add(run.state)
        one.hub.tick(0.001)
    placement = one.placement()
    assert seen >= {"submitting"} and run.state == "done"
    delivered = placement.delivered
    assert placement.key == run.key and placement.target == Target(kind="active_slot", object_name="Cube")
    assert (delivered.kind, delivered.name, delivered.generator, delivered.seed) == (
        "material", "granite", "test.echo", 5,
    )  # fmt: skip
    assert delivered.params == {"prompt": "old grey stone"} and delivered.job_id == run.job_id
    assert {file.role: file.read() for file in delivered.files} == {"base_color": b"colour", "description": b"{}"}
    assert delivered.files[0].role == "base_color"
    assert run.notes == ["no such stone, took granite"] and run.seed == 5
    assert one.hub.previews[run.key].data == b"\xff\x00\x00"
    before = one.hub.changes
    one.hub.placed(placement, "Placed on Cube")
    assert run.landed == {delivered.digest: "Placed on Cube"} and one.hub.changes > before
    one.hub.tick()
    assert one.hub.next_placement(FILE) is None
    assert [(past.label, past.seed, past.digests) for past in one.history.results] == [
        ("old grey stone", 5, (delivered.digest,))
    ]
    assert one.history.texts["prompt"] == ["old grey stone"]


def test_files_come_by_path_or_over_the_socket_with_the_same_bytes(desk: Callable[..., Desk], tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    one = desk(large, bridge={"share_disk": str(shared)})
    one.hub.submit(order())
    by_path = one.placement().delivered
    other = desk(large)
    other.hub.submit(order())
    by_socket = other.placement().delivered
    for delivered in (by_path, by_socket):
        assert {file.name: file.read() for file in delivered.files} == {"mesh.glb": LARGE, "small.txt": b"small"}
    assert all(Path(file.path).is_relative_to(shared) for file in by_path.files)
    assert not any(Path(file.path).is_relative_to(shared) for file in by_socket.files)


def test_a_large_result_never_holds_a_turn_for_long(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    one = desk(large)
    one.hub.submit(order())
    now, written, write = 0.0, [0], Landing._write

    def counted(landing: Landing, name: str, data: memoryview) -> bool:
        nonlocal now
        now, written[-1] = now + 1, written[-1] + 1
        return write(landing, name, data)

    monkeypatch.setattr(Landing, "_write", counted)
    for module in (arrivals, hub_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now, time=time.time))
    one.hub.submit(order())
    while not one.hub.runs[0].over:
        written.append(0)
        one.hub.tick(0.004)
    assert max(written) == 1 and sum(written) > 2, "one piece a turn when each takes longer than a turn"


def test_a_result_waits_for_its_own_file(desk: Callable[..., Desk]) -> None:
    one = desk()
    run = one.hub.submit(order(file="unsaved-1"))
    one.until(lambda: run.over)
    assert one.hub.next_placement(FILE) is None and one.hub.has_unplaced(run.key)
    one.hub.file_renamed("unsaved-1", FILE)
    assert one.hub.next_placement(FILE, only_wanted=True) is None
    placement = one.hub.next_placement(FILE)
    assert placement is not None and not one.hub.has_unplaced(run.key)


def test_results_are_placed_again_elsewhere_and_after_a_failure(desk: Callable[..., Desk]) -> None:
    one = desk()
    run = one.hub.submit(order())
    placement = one.placement()
    one.hub.not_placed(placement, "No object is active", "Select one")
    assert run.misplaced == {placement.delivered.digest: ["No object is active", "Select one"]}
    one.hub.place_again(run.key, Target(kind="new_material"))
    again = one.placement(only_wanted=True)
    assert again.target.kind == "new_material" and again.delivered == placement.delivered
    one.hub.placed(again, "Placed")
    assert not run.misplaced
    for file in again.delivered.files:
        Path(file.path).unlink()
    one.hub.place_again(run.key, Target(kind="new_material"))
    fetched = one.placement(only_wanted=True).delivered
    assert [file.read() for file in fetched.files] == [b"colour", b"{}"]
    fetches = [message for message in one.bridge.received if message["type"] == "asset.fetch"]
    assert [message["host"] for message in fetches] == ["blender"]


def test_an_asset_that_is_gone_is_said_to_be(desk: Callable[..., Desk]) -> None:
    one = desk()
    run = one.hub.submit(order())
    placement = one.placement()
    for file in placement.delivered.files:
        Path(file.path).unlink()
    one.bridge.files.clear()
    one.hub.place_again(run.key, Target())
    one.until(lambda: run.misplaced)
    assert run.misplaced == {placement.delivered.digest: ["no such asset", ""]} and run.state == "done"


def test_cancelling_at_every_stage(desk: Callable[..., Desk]) -> None:
    one = desk(held)
    run = one.hub.submit(order())
    one.until(lambda: run.state == "running" and run.stage == "waiting")
    assert (run.fraction, run.stage) == (0.25, "waiting")
    one.hub.cancel(run.key)
    assert run.cancelling and run.state == "running"
    one.until(lambda: run.over)
    assert run.state == "cancelled" and not run.cancelling
    one.hub.cancel(run.key)  # over already: nothing happens
    early = one.hub.submit(order())
    one.hub.cancel(early.key)
    one.until(lambda: early.over)
    assert early.state == "cancelled"
    sending = one.hub.submit(order(inputs={"picture": Source("a", data=LARGE)}))
    assert sending.state == "sending"
    one.hub.cancel(sending.key)
    assert sending.state == "cancelled"
    assert one.hub.next_placement(FILE) is None


def test_without_a_bridge_a_request_waits_and_can_be_taken_back(tmp_path: Path) -> None:
    slot = Slot(tmp_path)
    hub = Hub(slot, lambda bookmark: Client("ws://127.0.0.1:9", "t", host="blender", bookmark=bookmark),
              History(tmp_path / "history.json"))  # fmt: skip
    run = hub.submit(order())
    for _ in range(20):
        hub.tick(0.002)
    assert run.state == "submitting" and hub.state.status in ("waiting", "connecting")
    hub.cancel(run.key)
    hub.tick()
    assert run.state == "cancelled"
    hub.close()


@pytest.mark.parametrize("script", [material, large])
def test_a_breaking_network_loses_and_doubles_nothing(desk: Callable[..., Desk], script: Any) -> None:
    chance = random.Random(4)
    limits = iter([*(chance.randrange(300, 2_000_000) for _ in range(12)), *[0] * 1000])
    one = desk(script, bridge={"cut_after": lambda: next(limits)})
    runs = [one.hub.submit(order(seed=seed)) for seed in range(4)]
    one.until(lambda: all(run.over for run in runs))
    assert [run.state for run in runs] == ["done"] * 4
    placements = [one.placement() for _ in runs]
    assert {placement.key for placement in placements} == {run.key for run in runs}
    assert one.hub.next_placement(FILE) is None and len(one.bridge.jobs) == 4


@pytest.mark.parametrize("end", ["restart", "crash"])
def test_the_next_blender_picks_a_running_job_up(desk: Callable[..., Desk], end: str) -> None:
    one = desk(held)
    first = one.hub.submit(order())
    one.until(lambda: first.state == "running")
    getattr(one, end)()
    (run,) = one.hub.runs
    assert run is not first and run.key == first.key and run.state == "running"
    assert run.order == first.order
    one.until(lambda: one.hub.state.status == "connected")
    one.bridge.release()
    placement = one.placement()
    assert placement.delivered.files[0].read() == b"colour" and run.state == "done"
    assert len(one.bridge.jobs) == 1


def test_what_was_never_accepted_is_asked_for_by_the_next_blender(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.hub.submit(order())
    one.restart()
    assert one.placement().delivered.seed == 5
    assert len(one.bridge.jobs) == 1


@pytest.mark.parametrize("end", ["restart", "crash"])
def test_a_result_that_was_not_placed_is_fetched_by_the_next_blender(desk: Callable[..., Desk], end: str) -> None:
    one = desk()
    run = one.hub.submit(order())
    one.until(lambda: run.over)
    getattr(one, end)()
    placement = one.placement()
    assert placement.delivered.name == "granite"
    one.hub.placed(placement, "Placed")
    getattr(one, end)()
    one.until(lambda: one.hub.state.status == "connected")
    for _ in range(30):
        one.hub.tick(0.002)
    assert one.hub.next_placement(FILE) is None and one.hub.runs[0].landed


def test_a_bridge_that_forgot_everything_is_no_riddle(desk: Callable[..., Desk]) -> None:
    one = desk(held)
    run = one.hub.submit(order())
    one.until(lambda: run.state == "running")
    one.bridge.forget()
    one.bridge.cut()
    one.until(lambda: run.over)
    assert (run.state, run.error, run.remedy) == ("failed", "the bridge no longer knows this job", "Submit it again.")
    again = one.hub.again(run.key)
    assert again.order.seed == 5 and again.order.params == run.order.params


def test_a_failure_says_why_and_can_be_tried_again(desk: Callable[..., Desk]) -> None:
    one = desk(broken)
    run = one.hub.submit(order())
    one.until(lambda: run.over)
    assert (run.state, run.code, run.error, run.remedy) == (
        "failed", "limit.store", "the store is full", "Run scenecast gc.",
    )  # fmt: skip
    other = one.hub.again(run.key, new_seed=True)
    assert one.hub.runs[0] is other and other.order.seed != run.order.seed
    one.until(lambda: other.over)
    one.hub.dismiss(run.key)
    assert [each.key for each in one.hub.runs] == [other.key]


def test_inputs_are_sent_first_and_only_once(desk: Callable[..., Desk], tmp_path: Path) -> None:
    one = desk(material)
    ours = one.slot.inputs / "1" / "mesh.glb"
    ours.parent.mkdir(parents=True)
    ours.write_bytes(b"taken from the scene")
    taken = one.hub.submit(order(inputs={"a": Source("taken", path=str(ours))}))
    one.until(lambda: taken.over)
    assert not ours.parent.exists(), "a copy made for sending goes when it is sent"
    one.bridge.received.clear()
    picture = tmp_path / "picture.png"
    picture.write_bytes(LARGE)
    run = one.hub.submit(order(inputs={"a": Source("a picture", path=str(picture)), "b": Source("raw", data=b"bytes"),
                                       "c": Source("old", digest="0" * 64)}))  # fmt: skip
    assert run.state == "sending"
    fractions = []
    while run.state == "sending":
        one.hub.tick(0.002)
        fractions.append(run.fraction)
    assert max(fractions) > 0.1
    one.until(lambda: run.over)
    (submit,) = [message for message in one.bridge.received if message["type"] == "job.submit"]
    sent = submit["inputs"]
    assert bytes(one.bridge.uploads[sent["a"]]) == LARGE and bytes(one.bridge.uploads[sent["b"]]) == b"bytes"
    assert sent["c"] == "0" * 64
    again = one.hub.again(run.key)
    assert again.state == "submitting", "what the bridge has is not sent again"
    assert {port: source.digest for port, source in again.order.inputs.items()} == sent
    assert picture.exists(), "the artist's own file stays"


def test_inputs_that_cannot_be_sent_fail_in_words(desk: Callable[..., Desk], tmp_path: Path) -> None:
    one = desk()
    run = one.hub.submit(order(inputs={"a": Source("gone", path=str(tmp_path / "gone.png"))}))
    assert run.state == "failed" and "gone.png cannot be read" in run.error
    one.restart()
    assert one.hub.runs[0].state == "failed"


def test_an_unsent_input_is_sent_by_the_next_blender_when_it_still_can_be(
    desk: Callable[..., Desk], tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"picture")
    one = desk()
    one.hub.submit(order(inputs={"a": Source("a picture", path=str(picture))}))
    one.hub.submit(order(inputs={"a": Source("raw", data=b"bytes")}))
    one.restart()
    lost, kept = one.hub.runs
    assert (lost.state, lost.error) == ("failed", "Blender was closed before the input had been sent")
    assert kept.state == "sending"
    one.until(lambda: kept.over)
    assert kept.state == "done"


def test_two_blenders_never_share_a_session(tmp_path: Path) -> None:
    with FakeBridge(held) as bridge:
        first, second = Desk(tmp_path / "user", bridge), Desk(tmp_path / "user", bridge)
        assert (first.slot.number, second.slot.number) == (1, 2)
        run = first.hub.submit(order())
        first.until(lambda: run.state == "running")
        second.until(lambda: second.hub.state.status == "connected")
        assert second.hub.runs == [] and len(bridge.sessions) == 2
        first.hub.close()
        third = Desk(tmp_path / "user", bridge)
        assert third.slot.number == 1 and [each.key for each in third.hub.runs] == [run.key]
        second.hub.close()
        third.hub.close()


def test_another_address_goes_on_with_the_same_requests(desk: Callable[..., Desk]) -> None:
    one = desk(held)
    run = one.hub.submit(order())
    one.until(lambda: run.state == "running")
    one.hub.reopen(one.make_client)
    one.until(lambda: one.hub.state.status == "connected")
    one.bridge.release()
    one.until(lambda: run.over)
    assert run.state == "done"


def test_a_full_disk_is_told_and_forgotten_when_there_is_room(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk()
    real = json_file.write

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json_file, "write", full)
    one.hub.submit(order())
    assert "No space left on device" in one.hub.trouble
    monkeypatch.setattr(json_file, "write", real)
    one.hub.save()
    assert one.hub.trouble == ""


def test_a_full_disk_fails_what_arrives(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    one = desk()

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Landing, "_write", full)
    run = one.hub.submit(order())
    one.until(lambda: run.over)
    assert run.state == "failed" and "No space left" in run.error and run.remedy


def test_a_session_file_that_cannot_be_read_is_put_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.joinpath("session-1.json").write_text("{ not json")
    with FakeBridge() as bridge:
        one = Desk(tmp_path, bridge)
        assert one.hub.runs == []
        one.until(lambda: one.hub.state.status == "connected")
        one.hub.close()
    assert (tmp_path / "session-1.json.broken").exists() and "put aside" in capsys.readouterr().out
    json_file.write(tmp_path / "session-1.json", {"bookmark": {"version": 99}, "runs": [{"order": 3}]})
    with FakeBridge() as bridge:
        one = Desk(tmp_path, bridge)
        one.until(lambda: one.hub.state.status == "connected")
        assert one.hub.runs == []
        one.hub.close()


def test_old_runs_leave_the_list_and_their_files(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RUNS_KEPT", 3)
    one = desk()
    for seed in range(6):
        run = one.hub.submit(order(seed=seed, params={"text": str(seed)}))
        one.until(lambda run=run: run.over)  # type: ignore[misc]
        one.hub.placed(one.placement(), "Placed")
    assert [run.order.seed for run in one.hub.runs] == [5, 4, 3]
    assert set(one.hub.previews) == {run.key for run in one.hub.runs}
    for run in list(one.hub.runs):
        one.hub.dismiss(run.key)
    one.restart()
    assert one.hub.runs == [] and not any(one.slot.received.iterdir())


def test_a_run_survives_json(tmp_path: Path) -> None:
    run = Run(order(inputs={"a": Source("t", "image", "1" * 64, data=b"x")},
                    target=Target(kind="cursor", location_m=(1.0, 2.0, 3.0))))  # fmt: skip
    json_file.write(tmp_path / "run.json", run.to_tree())
    back = Run.from_tree({**json_file.read(tmp_path / "run.json"), "unknown": 1})
    assert back.order.target == run.order.target and back.order.inputs["a"].digest == "1" * 64
    assert back.to_tree() == run.to_tree()


def test_the_catalog_is_the_bridges(desk: Callable[..., Desk]) -> None:
    one = desk()
    assert one.hub.generators == []
    one.until(lambda: one.hub.generators)
    assert [row.id for row in one.hub.generators] == [GENERATOR["id"]]
    before = one.hub.changes
    one.bridge.cut()
    one.until(lambda: one.hub.changes > before)
