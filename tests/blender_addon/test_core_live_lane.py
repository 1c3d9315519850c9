"""When a live view is sent, which view a picture shows, and what the panel says meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from blender_addon.core.live_lane import PAUSE, PER_SEC, REMEMBERED, LiveLane
from python_client import ScenecastError
from python_client.live import LivePicture


class Session:
    """A live session that does as it is told."""

    state, text, over, wants_frame = "ready", "", False, True
    fault: ScenecastError | None = None
    picture: LivePicture | None = None

    def take_image(self) -> LivePicture | None:
        picture, self.picture = self.picture, None
        return picture


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def picture(frame: int, age_ms: float = 50.0) -> LivePicture:
    return LivePicture(frame, 1, 1, "image/raw", 4, b"abcd", False, 20.0, age_ms)


@pytest.fixture
def played() -> tuple[Session, Clock, LiveLane]:
    session, clock = Session(), Clock()
    return session, clock, LiveLane(session, clock=clock)  # type: ignore[arg-type]


def test_the_hand_comes_before_the_picture(played: Any) -> None:
    session, clock, lane = played
    assert lane.due()
    lane.sent(1, "one", 0.001)
    assert not lane.due()
    clock.now += 1 / PER_SEC
    assert lane.due(), "a quick view is bounded by the rate"
    lane.sent(2, "two", 0.2)
    clock.now += 0.2 * PAUSE - 0.01
    assert not lane.due(), "a slow one by what it held Blender for"
    clock.now += 0.02
    assert lane.due()
    session.wants_frame = False
    assert not lane.due(), "nothing is read that would only wait"


def test_a_picture_shows_the_view_it_was_made_from(played: Any) -> None:
    session, _, lane = played
    for number in range(1, REMEMBERED + 5):
        lane.sent(number, f"view {number}", 0.0)
    session.picture = picture(10)
    assert lane.take() and lane.view == "view 10" and not lane.take()
    session.picture = picture(2)
    assert not lane.take(), "that view is long forgotten"
    session.picture = picture(500)
    assert lane.take() and lane.view == f"view {REMEMBERED + 4}", "sent again by the session, under another number"


def test_speed_is_that_of_the_last_two_seconds(played: Any) -> None:
    session, clock, lane = played
    lane.sent(1, "one", 0.0)
    assert lane.row().title == "Live"
    for age in (10.0, 30.0, 90.0, 30.0):
        session.picture = picture(1, age)
        assert lane.take()
        clock.now += 0.1
    assert lane.row().title == "Live · 2 a second · 30 ms"
    clock.now += 1.85
    assert lane.row().title == "Live · 30 ms", "one picture is left"
    clock.now += 5
    assert lane.row().title == "Live"


@pytest.mark.parametrize(
    "state, title",
    [("opening", "Opening …"), ("loading", "Loading …"), ("lost", "Waiting for the bridge"), ("closing", "Stopping …"),
     ("stalled", "The picture takes long …"), ("restarted", "Starting again …")],
)  # fmt: skip
def test_every_state_has_its_words(played: Any, state: str, title: str) -> None:
    session, _, lane = played
    session.state, session.text = state, "a reason"
    row = lane.row()
    assert (row.tone, row.title, row.cause) == ("busy", title, "A reason.")


def test_what_is_to_be_known_as_long_as_it_runs_stands_below_the_speed(played: Any) -> None:
    session, _, lane = played
    session.text = "splats are drawn on the processor, not on cuda:0: no gsplat"
    row = lane.row()
    assert (row.tone, row.title) == ("good", "Live")
    assert row.cause == "Splats are drawn on the processor, not on cuda:0: no gsplat."


def test_a_frame_without_an_answer_says_why(played: Any) -> None:
    session, _, lane = played
    session.fault = ScenecastError("no depth came", remedy="Update the add-on.")
    row = lane.row()
    assert (row.tone, row.cause, row.remedy) == ("bad", "No depth came.", "Update the add-on.")
