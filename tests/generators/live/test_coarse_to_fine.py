"""Keeping up with a moving camera: which way of drawing is taken, and when the camera rests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from generators.live.coarse_to_fine import EASILY, REMEMBERED_SECS, CoarseToFine, Pace, never, rests
from generators.live.frames import Camera
from tests.generators.live.unmoved import Unmoved


class Clock:
    secs = 100.0

    def __call__(self) -> float:
        return self.secs


def pace(clock: Clock | None = None) -> Pace:
    return Pace([40.0, 20.0, 10.0, 5.0], budget_ms=30.0, clock=clock or Clock())


def test_the_best_way_that_fits_is_taken() -> None:
    assert pace().choose() == 1
    assert Pace([10.0, 5.0], budget_ms=30.0).choose() == 0
    assert Pace([100.0, 50.0], budget_ms=30.0).choose() == 1


def test_a_slower_machine_makes_it_rougher_and_one_hiccup_does_not() -> None:
    one = pace()
    one.took(one.choose(), 20.0)
    one.took(1, 20.0)
    one.took(1, 200.0)
    assert one.choose() == 1
    for _ in range(3):
        one.took(1, 50.0)
    assert one.choose() == 2
    for _ in range(5):
        one.took(2, 70.0)
    assert one.choose() == 3


def test_a_better_way_is_taken_up_only_where_it_fits_easily() -> None:
    one, clock = pace(), Clock()
    one = Pace([40.0, 20.0, 10.0, 5.0], budget_ms=30.0, clock=clock)
    for _ in range(5):
        one.took(2, 20.0)
    assert one.choose() == 2
    for _ in range(5):
        one.took(2, 10.0 * 1.3)  # 26 ms for the better one: it would fit, but barely
    assert one.choose() == 2
    for _ in range(5):
        one.took(2, 10.0 * 0.99 * EASILY * 1.5)
    assert one.choose() == 1


def test_a_way_that_was_too_slow_is_left_alone_for_a_while() -> None:
    clock = Clock()
    one = Pace([20.0, 5.0], budget_ms=30.0, clock=clock)
    one.took(0, 60.0)
    for _ in range(5):
        one.took(1, 2.0)
    assert one.choose() == 1
    clock.secs += REMEMBERED_SECS / 2
    one.took(1, 2.0)
    assert one.choose() == 1
    clock.secs += REMEMBERED_SECS
    assert one.choose() == 0


def test_a_best_picture_that_takes_long_is_preceded_by_another() -> None:
    assert Pace([200.0, 20.0]).between() == 0
    assert Pace([400.0, 200.0, 99.0, 20.0]).between() == 2


class Context:
    def __init__(self, newer_after: int) -> None:
        self.asked, self.newer_after = 0, newer_after

    def newer(self) -> bool:
        self.asked += 1
        return self.asked > self.newer_after


def view(x: float = 0.0) -> Camera:
    eye = np.eye(4)
    eye[0, 3] = x
    return Camera(eye, 8, 6, 8.0, 8.0, 4.0, 3.0, 0.1, 100.0, False)


def drawn(camera: Camera, params: object, way: int, given_up: Callable[[], bool] = never) -> NDArray[np.uint8] | None:
    return None if given_up() else np.full((6, 8, 3), way, np.uint8)


def answering(context: Context) -> CoarseToFine:
    one = CoarseToFine(context, drawn, [400.0, 90.0, 10.0])  # type: ignore[arg-type]
    one.pace = Unmoved([400.0, 90.0, 10.0])
    return one


def test_pictures_become_better_until_the_best_or_until_the_camera_moves_on() -> None:
    context = Context(10**9)
    one = answering(context)
    found = [(int(picture.pixels[0, 0, 0]), picture.rough) for picture in one(view(), None)]
    assert found == [(2, True), (1, True), (0, False)]
    one = answering(context)
    answers = one(view(1.0), None)
    assert next(answers).rough and next(answers).rough
    context.newer_after = 0
    assert list(answers) == []
    assert [picture.rough for picture in one(view(1.0), None)] == [False]  # it did not move


def test_a_camera_rests_when_nothing_newer_comes() -> None:
    assert rests(Context(10**9))  # type: ignore[arg-type]
    assert not rests(Context(0))  # type: ignore[arg-type]
    waits = Context(1)
    assert not rests(waits) or waits.asked == 1  # type: ignore[arg-type]
