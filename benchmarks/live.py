"""The live lane over a real bridge: what it costs beside the generator, and how soon and how often the artist sees.

The client, the bridge and the worker share the machine's cores, as they do for the artist. Edit to pixel is from the
client's `push` to the whole raw picture in its hands.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, note
from benchmarks.serving import Served, serving
from python_client import Client, LivePicture, LiveSession

BENCH = "live"
SIDE = 512
ROUNDS = 150
STREAM_SECS = 4.0
OWN_MS = 3.0
"""What the lane may cost beside the generator's own time."""
LEAST_PER_SEC = 20.0
SEEN_MS = 1000 / LEAST_PER_SEC
SHARP_MS = 150.0
"""Edit to the final picture of a camera that rests, for clouds of the usual size."""


@dataclass(frozen=True)
class Cloud:
    """A ball of splats, how far the camera is from its middle, and what is wanted of it."""

    name: str
    splats: int
    distance_m: float
    least_per_sec: float = LEAST_PER_SEC
    sharp_ms: float = SHARP_MS


CLOUDS = (
    Cloud("60 000 splats, filling the picture", 60_000, 1.9),
    Cloud("200 000 splats", 200_000, 4.3),
    Cloud("1 000 000 splats, filling the picture", 1_000_000, 1.9, 10.0, 2 * SHARP_MS),
)


def run() -> Iterator[Figure]:
    """Every figure of the live lane, on one private bridge."""
    with serving() as served:
        served.settle()
        note(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        with served.connect() as client:
            yield from _own(served, client)
            yield from _generator(served, client, "live.painterly", _colours())
            yield from _generator(served, client, "live.retexture", _surfaces())
            for cloud in CLOUDS:
                yield from _splats(served, client, cloud)
            job = client.submit("field.blank", host="")
            job.wait(120)
            yield from _generator(
                served, client, "view.field", _cameras(), {"field": job.assets[0].digest}, sharp_ms=8 * SHARP_MS
            )


def _own(served: Served, client: Client) -> Iterator[Figure]:
    """What bridge and transport add to a generator that does nothing."""
    session = _ready(client, "live.echo")
    frames = _colours()
    for _ in range(20):
        session.answer_to(session.push(**frames[0]), 30)
    beside: list[float] = []
    bridge_secs, own_secs = _processor_secs(served.pid), time.process_time()
    for number in range(ROUNDS):
        picture = session.answer_to(session.push(**frames[number % len(frames)]), 30)
        beside.append(picture.age_ms - picture.run_ms)
    bridge_ms = 1000 * (_processor_secs(served.pid) - bridge_secs) / ROUNDS
    client_ms = 1000 * (time.process_time() - own_secs) / ROUNDS
    _close(session)
    size = f"{SIDE}², raw"
    yield Figure(
        BENCH, f"bridge's own processor time per frame, {size}", bridge_ms, "ms", f"limit ≤ {OWN_MS:g} ms", OWN_MS
    )
    yield Figure(BENCH, f"edit to pixel beside the generator, median, {size}", statistics.median(beside), "ms",
                 f"limit ≤ {OWN_MS:g} ms", OWN_MS)  # fmt: skip
    yield Figure(BENCH, f"client's processor time per frame, {size}", client_ms, "ms", "a tick's budget, 4 ms", 4.0)


def _splats(served: Served, client: Client, cloud: Cloud) -> Iterator[Figure]:
    """A cloud while the camera moves, and when it rests."""
    job = client.submit("splats.blank", splats=cloud.splats, sh_degree=1, host="")
    job.wait(120)
    yield from _generator(
        served, client, "view.splats", _cameras(cloud.distance_m), {"splats": job.assets[0].digest}, of=cloud.name,
        least_per_sec=cloud.least_per_sec, sharp_ms=cloud.sharp_ms,
    )  # fmt: skip


def _generator(
    served: Served, client: Client, name: str, frames: list[dict[str, Any]], inputs: dict[str, str] | None = None, *,
    of: str = "", least_per_sec: float = LEAST_PER_SEC, sharp_ms: float = 0.0,
) -> Iterator[Figure]:  # fmt: skip
    session = _ready(client, name, inputs)
    for number in range(10):
        session.answer_to(session.push(**frames[number % len(frames)]), 60)
    ages: list[float] = []
    sharp: list[float] = []
    pictures: list[LivePicture] = []
    session.on_image = pictures.append
    before = _children_secs(served.pid)
    for number in range(40):
        begun = len(pictures)
        sharp.append(session.answer_to(session.push(**frames[number % len(frames)]), 60).age_ms)
        ages.append(pictures[begun].age_ms)
    worker_ms = 1000 * (_children_secs(served.pid) - before) / len(ages)
    moving = len(pictures)
    per_sec = _stream(client, session, frames)
    widths = [picture.width_px for picture in pictures[moving:]]
    _close(session)
    what, first = f"{name}, {of}" if of else name, "first picture" if sharp_ms else "picture"
    yield Figure(BENCH, f"{what}, edit to {first}, median, {SIDE}²", statistics.median(ages), "ms",
                 f"limit ≤ {SEEN_MS:g} ms", SEEN_MS)  # fmt: skip
    least = f"limit ≤ {SEEN_MS:g} ms of one core" if not sharp_ms else "all pictures of a frame together"
    yield Figure(BENCH, f"{what}, worker's processor time per frame, {SIDE}²", worker_ms, "ms", least, SEEN_MS)
    yield Figure(BENCH, f"{what}, pictures a second while it moves, {SIDE}²", per_sec, "/s",
                 f"wanted ≥ {least_per_sec:g}", least_per_sec)  # fmt: skip
    if sharp_ms:
        yield Figure(BENCH, f"{what}, side of the pictures while it moves, median", statistics.median(widths), "px",
                     f"whole: {SIDE}", SIDE)  # fmt: skip
        yield Figure(BENCH, f"{what}, edit to sharp picture, median, {SIDE}²", statistics.median(sharp), "ms",
                     f"wanted ≤ {sharp_ms:g}", sharp_ms)  # fmt: skip


def _stream(client: Client, session: LiveSession, frames: list[dict[str, Any]]) -> float:
    """Pictures a second while a host pushes whenever the session wants a frame."""
    seen = number = 0
    begun = time.perf_counter()
    while (now := time.perf_counter()) - begun < STREAM_SECS:
        if session.wants_frame:
            session.push(**frames[number % len(frames)])
            number += 1
        if not client.pump():
            client.connection.wait(0.002)
        seen += session.take_image() is not None
    return seen / (now - begun)


def _ready(client: Client, name: str, inputs: dict[str, str] | None = None) -> LiveSession:
    session = client.live(name, inputs=inputs, width_px=SIDE, height_px=SIDE)
    session.wait_until(lambda one: one.state == "ready", 180)
    return session


def _close(session: LiveSession) -> None:
    session.close()
    session.wait_until(lambda one: one.over, 10)


def _processor_secs(pid: int) -> float:
    """Processor time of one process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children_secs(pid: int) -> float:
    """Processor time of a bridge's workers, together."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has no such file, or has ended meanwhile
            continue
        if entry.name.isdigit() and int(fields[1]) == pid:
            total += _processor_secs(int(entry.name))
    return total


def _colours() -> list[dict[str, Any]]:
    """A disc that wanders over a slope of colours with some texture: much to paint."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    texture = np.random.default_rng(1).random((SIDE // 8, SIDE // 8)).repeat(8, 0).repeat(8, 1)
    found = []
    for step in range(8):
        picture = (
            np.stack([0.3 + 0.6 * x, 0.8 - 0.5 * y, 0.5 + 0.3 * np.sin(9 * x + 5 * y)], -1) + 0.2 * texture[..., None]
        )
        picture[(x - 0.3 - 0.05 * step) ** 2 + (y - 0.5) ** 2 < 0.04] *= 0.35
        found.append({"colour": (np.clip(picture, 0, 1) * 255).astype(np.uint8)})
    return found


def _camera(step: int, distance_m: float = 4.3) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """A camera that walks around the middle of the scene, and its matrix."""
    turn = 0.5 + 0.02 * step
    place = np.array([0.93 * np.sin(turn), 0.37, 0.93 * np.cos(turn)]) * distance_m
    ahead = np.array([0.0, 0.5 if distance_m > 2 else 0.0, 0.0]) - place
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = right, np.cross(right, ahead), -ahead, place
    return {"world_from_camera": matrix.ravel().tolist(), "fov_y_deg": 50.0}, matrix


def _cameras(distance_m: float = 4.3) -> list[dict[str, Any]]:
    return [{"camera": _camera(step, distance_m)[0]} for step in range(8)]


def _surfaces() -> list[dict[str, Any]]:
    """A floor and a ball that fill most of the picture, as depth."""
    found = []
    focal = SIDE / 2 / np.tan(np.radians(25.0))
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    for step in range(8):
        camera, matrix = _camera(step)
        turn, place = matrix[:3, :3], matrix[:3, 3]
        ray = (
            ((x - SIDE / 2) / focal)[..., None] * turn[:, 0]
            + ((SIDE / 2 - y) / focal)[..., None] * turn[:, 1]
            - turn[:, 2]
        )
        floor = np.where(ray[..., 1] < 0, -place[1] / np.minimum(ray[..., 1], -1e-9), np.inf)
        out = place - np.array([0.0, 1.0, 0.0])
        a, b, c = (ray * ray).sum(-1), (ray * out).sum(-1), (out * out).sum() - 1.0
        root = b * b - a * c
        ball = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
        depth = np.minimum(floor, ball)
        depth[depth > 30] = np.inf
        found.append({"depth": depth.astype("<f4"), "camera": camera})
    return found
