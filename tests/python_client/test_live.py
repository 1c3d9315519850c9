"""Live sessions of the client against the scripted bridge: the newest wins, nothing waits, losses heal."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import pytest

from python_client import Client, LivePicture, Refused, ScenecastError, connect, live_camera
from python_client.live import PIECE_BYTES, WINDOW
from python_client.testing import FakeBridge
from python_client.testing_live import GENERATOR, FakeFrame

PIXELS = bytes(range(48))  # 4 × 4 × 3
INVERTED = bytes(255 - value for value in PIXELS)
CAMERA = {"world_from_camera": [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}


@pytest.fixture
def bridge() -> Iterator[FakeBridge]:
    with FakeBridge(generators=[GENERATOR]) as one:
        yield one


@pytest.fixture
def client(bridge: FakeBridge) -> Iterator[Client]:
    with connect(bridge.url, bridge.token) as one:
        yield one


def until(client: Client, condition: Callable[[], object], secs: float = 120.0) -> None:
    client.drive(lambda: bool(condition()), secs, "the test")


def test_the_catalog_says_what_to_send(client: Client) -> None:
    row = client.generator("live.mirror")
    assert not row.jobs and row.live is not None and row.live.wants == ["colour"]


def test_a_frame_is_answered(bridge: FakeBridge, client: Client) -> None:
    heard: list[LivePicture] = []
    live = client.live("live.mirror", {"gain": 2.0}, width_px=4, height_px=4, on_image=heard.append)
    assert live.state == "opening" and not live.wants_frame
    live.wait_until(lambda one: one.state == "ready", 120)
    assert live.wants_frame
    number = live.push(colour=PIXELS, camera=CAMERA)
    assert number == 1 and not live.wants_frame
    picture = live.answer_to(number, 120)
    assert (picture.frame, picture.width_px, picture.height_px, picture.components) == (1, 4, 4, 3)
    assert picture.data == INVERTED and picture.media_type == "image/raw" and not picture.rough
    assert picture.age_ms > 0 and heard == [picture]
    assert live.take_image() is picture and live.take_image() is None
    frame = bridge.live.frames[0]
    assert frame.params == {"gain": 2.0} and frame.camera == CAMERA
    assert (live.pushed, live.sent, live.dropped, live.answered) == (1, 1, 0, 1)


def test_what_is_left_out_stands(bridge: FakeBridge, client: Client) -> None:
    live = client.live("live.mirror", width_px=4, height_px=4)
    live.answer_to(live.push(colour=PIXELS, params={"gain": 2.0}), 120)
    live.answer_to(live.push(camera=CAMERA), 120)
    second = bridge.live.frames[1]
    assert second.pictures == {"colour": PIXELS} and second.camera == CAMERA and second.params == {"gain": 2.0}
    sent = [message for message in bridge.received if message["type"] == "live.frame"]
    assert sent[1]["pictures"] == [] and sent[1]["size_bytes"] == 0 and "params" not in sent[1]


def test_several_pictures_lie_at_multiples_of_four(bridge: FakeBridge, client: Client) -> None:
    live = client.live("live.mirror", width_px=3, height_px=1)
    depth = memoryview(bytes(12)).cast("f")
    live.answer_to(live.push(colour=bytes(9), depth=depth, depth_space="window", bottom_up=True), 120)
    (message,) = (message for message in bridge.received if message["type"] == "live.frame")
    assert message["pictures"] == [
        {"channel": "colour", "offset": 0, "size_bytes": 9, "dtype": "u1", "space": "srgb", "bottom_up": True},
        {"channel": "depth", "offset": 12, "size_bytes": 12, "dtype": "<f4", "space": "window", "bottom_up": True},
    ]
    assert message["size_bytes"] == 24


def test_large_frames_and_answers_go_in_pieces(bridge: FakeBridge, client: Client) -> None:
    bridge.live.piece_bytes = 1 << 20 >> 1
    pixels = os.urandom(1024 * 1024 * 4)
    live = client.live("live.mirror", width_px=1024, height_px=1024, alpha=True)
    picture = live.answer_to(live.push(colour=pixels), 120)
    assert bridge.live.frames[0].pictures["colour"] == pixels
    assert picture.components == 4 and len(picture.data) == 1024 * 1024 * 4
    assert bytes(picture.data[0::4]) == bytes(255 - value for value in pixels[0::4])
    pieces = [message for message in bridge.received if message["type"] == "live.frame"]
    assert [piece.get("offset", 0) for piece in pieces] == [index * PIECE_BYTES for index in range(len(pieces))]
    assert len(pieces) == math.ceil(len(pixels) / PIECE_BYTES) > 1


def test_the_newest_wins_with_all_that_the_older_ones_changed(bridge: FakeBridge, client: Client) -> None:
    bridge.live.answer = lambda frame: None
    live = client.live("live.mirror", width_px=4, height_px=4)
    live.wait_until(lambda one: one.state == "ready", 120)
    for _ in range(WINDOW):
        live.push(colour=bytes(48))
        until(client, lambda: live.sent == live.pushed)
    live._sent_at = math.inf  # however slow this machine is, the frames under way are young
    assert not live.wants_frame
    live.push(colour=PIXELS, params={"gain": 2.0}, width_px=4, height_px=4)
    live.push(params={"other": 1})
    number = live.push(camera=CAMERA, params={"gain": 3.0})
    assert live.dropped == 2 and live.sent == WINDOW
    bridge.live.answer = lambda frame: frame.pictures["colour"]
    (name,) = bridge.live.sessions
    bridge.live.state(name, "ready", frame=WINDOW)
    assert live.answer_to(number, 120).data == PIXELS
    newest = bridge.live.frames[-1]
    assert newest.number == number and newest.params == {"gain": 3.0, "other": 1} and newest.camera == CAMERA


def test_a_session_without_answers_is_fed_on_after_a_while(bridge: FakeBridge, client: Client) -> None:
    bridge.live.answer = lambda frame: None
    live = client.live("live.mirror", width_px=4, height_px=4)
    for _ in range(2 * WINDOW):
        live.push(colour=PIXELS)
        until(client, lambda: live.sent == live.pushed)
    assert len(bridge.live.frames) <= 2 * WINDOW and live.dropped == 0


def test_a_rough_picture_makes_room_for_newer_frames(bridge: FakeBridge, client: Client) -> None:
    bridge.live.answer = lambda frame: None
    live = client.live("live.mirror", width_px=4, height_px=4)
    live.wait_until(lambda one: one.state == "ready", 120)
    for number in range(1, WINDOW + 1):
        live.push(colour=bytes(48))
        until(client, lambda number=number: len(bridge.live.frames) == number)  # type: ignore[misc]
    assert list(live._under_way) == list(range(1, WINDOW + 1))
    bridge.live.show("live-1", bridge.live.frames[-1], bytes(48), rough=True)
    until(client, lambda: live.image is not None)
    assert list(live._under_way) == [WINDOW] and live.answered == 0
    assert live.image is not None and live.image.rough and live.image.age_ms > 0


def test_rough_pictures_come_first(bridge: FakeBridge, client: Client) -> None:
    def answer(frame: FakeFrame) -> bytes:
        bridge.live.show("live-1", frame, bytes(48), rough=True)
        return INVERTED

    bridge.live.answer = answer
    heard: list[bool] = []
    live = client.live("live.mirror", width_px=4, height_px=4, on_image=lambda picture: heard.append(picture.rough))
    assert live.answer_to(live.push(colour=PIXELS), 120).data == INVERTED
    assert heard == [True, False] and live.answered == 1


def test_states_and_faults_are_told(bridge: FakeBridge, client: Client) -> None:
    live = client.live("live.mirror", width_px=4, height_px=4)
    live.wait_until(lambda one: one.state == "ready", 120)
    bridge.live.state("live-1", "restarted", "the worker was ended by SIGKILL")
    live.wait_until(lambda one: one.state == "restarted", 120)
    assert "SIGKILL" in live.text

    def refuse(frame: FakeFrame) -> None:
        session = bridge.live.sessions["live-1"]
        refused = {"type": "refused", "code": "run.failed", "message": "too dark", "request_id": "live-1"}
        session.say(refused, b"")

    bridge.live.answer = refuse
    with pytest.raises(Refused, match="too dark"):
        live.answer_to(live.push(colour=PIXELS), 120)
    assert live.wants_frame and not live.over
    bridge.live.answer = lambda frame: INVERTED
    live.answer_to(live.push(colour=PIXELS), 120)
    assert live.fault is None


def test_closing_waits_for_the_word(bridge: FakeBridge, client: Client) -> None:
    bridge.live.silent_close = True
    live = client.live("live.mirror", width_px=4, height_px=4)
    live.wait_until(lambda one: one.state == "ready", 120)
    live.push(colour=PIXELS)
    live.close()
    live.close()
    until(client, lambda: any(message["type"] == "live.close" for message in bridge.received))
    assert live.state == "closing" and not live.over and live.push(colour=PIXELS)
    bridge.live.end("live-1")
    live.wait_until(lambda one: one.over, 120)
    assert live.error is None and not client.protocol.lives.all
    assert sum(message["type"] == "live.close" for message in bridge.received) == 1


def test_closed_before_it_was_open(bridge: FakeBridge, client: Client) -> None:
    live = client.live("live.mirror")
    live.close()
    live.wait_until(lambda one: one.over, 120)
    assert not bridge.live.sessions


def test_a_session_that_fails_says_why(bridge: FakeBridge, client: Client) -> None:
    live = client.live("live.mirror")
    live.wait_until(lambda one: one.state == "ready", 120)
    bridge.live.end("live-1", "run.worker_died", "killed twice", "open it again")
    live.wait_until(lambda one: one.over)
    assert live.state == "closed" and live.text == "killed twice"
    assert isinstance(live.error, Refused) and live.error.code == "run.worker_died"
    assert live.error.remedy == "open it again"


def test_a_refused_opening_is_an_error(bridge: FakeBridge, client: Client) -> None:
    bridge.live.refuse = "no such generator"
    live = client.live("live.none")
    with pytest.raises(Refused, match="no such generator"):
        live.wait_until(lambda one: one.state == "ready", 120)
    assert live.over


def test_a_lost_connection_opens_it_again_with_the_newest_frame(bridge: FakeBridge, client: Client) -> None:
    live = client.live("live.mirror", {"gain": 1.0}, width_px=4, height_px=4)
    live.answer_to(live.push(colour=PIXELS, camera=CAMERA), 120)
    live.answer_to(live.push(params={"gain": 2.5}), 120)
    bridge.cut()
    until(client, lambda: live.state == "lost")
    assert "connection" in live.text
    until(client, lambda: len(bridge.live.frames) == 3 and live.answered == 3, 120)
    again = bridge.live.frames[-1]
    assert again.pictures == {"colour": PIXELS} and again.camera == CAMERA and again.params == {"gain": 2.5}
    assert live.state == "ready" and live.id == "live-2"


def test_closing_while_the_connection_is_gone_ends_it_for_good(bridge: FakeBridge, client: Client) -> None:
    live = client.live("live.mirror", width_px=4, height_px=4)
    live.wait_until(lambda one: one.state == "ready", 120)
    bridge.cut()
    until(client, lambda: live.state == "lost")
    live.close()
    assert live.over
    until(client, lambda: client.connection.connected, 120)
    until(client, lambda: set(bridge.live.sessions) == {"live-1"})


def perspective(fov_y: float, aspect: float, near: float, far: float) -> list[list[float]]:
    y = 1 / math.tan(fov_y / 2)
    return [[y / aspect, 0, 0.2, 0], [0, y, -0.1, 0],
            [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)], [0, 0, -1, 0]]  # fmt: skip


IDENTITY: list[list[float]] = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_a_camera_from_the_matrices_of_a_host() -> None:
    camera = live_camera(IDENTITY, perspective(math.radians(60), 2.0, 0.1, 100.0))
    assert camera["fov_y_deg"] == pytest.approx(60)
    assert camera["fov_x_deg"] == pytest.approx(math.degrees(2 * math.atan(2 * math.tan(math.radians(30)))))
    assert (camera["near_m"], camera["far_m"]) == pytest.approx((0.1, 100.0))
    assert (camera["centre_x"], camera["centre_y"]) == pytest.approx((-0.2, 0.1))
    assert camera["world_from_camera"] == [value for row in IDENTITY for value in row]


def test_an_orthographic_camera_of_a_host_with_z_up() -> None:
    near, far = -50.0, 150.0
    clip: list[list[float]] = [
        [0.25, 0, 0, 0.5],
        [0, 0.5, 0, 0],
        [0, 0, -2 / (far - near), -(far + near) / (far - near)],
        [0, 0, 0, 1],
    ]
    world: list[list[float]] = [[1.0, 0, 0, 1.0], [0, 1, 0, 2.0], [0, 0, 1, 3.0], [0, 0, 0, 1]]
    camera = live_camera(world, clip, z_up=True)
    assert camera["height_m"] == 4.0 and camera["centre_x"] == 0.5
    assert (camera["near_m"], camera["far_m"]) == pytest.approx((near, far))
    place = [camera["world_from_camera"][row * 4 + 3] for row in range(3)]
    assert place == [1.0, 3.0, -2.0]
    up = [camera["world_from_camera"][row * 4 + 2] for row in range(3)]  # the host's +Z
    assert up == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("spoil", [(0, 0, -1.0), (3, 2, -0.5)])
def test_a_projection_of_no_camera_is_refused(spoil: tuple[int, int, float]) -> None:
    clip = perspective(1.0, 1.0, 0.1, 10.0)
    clip[spoil[0]][spoil[1]] = spoil[2]
    with pytest.raises(ScenecastError):
        live_camera(IDENTITY, clip)
