"""Clouds as their client sees them: what it holds over time while one grows, and the first picture of a large one.

The growing cloud is the fox at 135×240, every 8th photograph held out; pictures are judged on those, rendered from
what the client held at that moment. A loaded machine is told on the error stream.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.figures import Figure, note
from benchmarks.radiance import FOX
from benchmarks.serving import Served, serving
from engines.assets import FloatArray, Splats
from engines.growth import rows_of, splats_of
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.capture import read_capture
from generators.radiance.losses import psnr
from generators.radiance.parameters import from_splats
from generators.radiance.photographs import Photograph, held_out, load_photographs
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from python_client import Asset, Client, GrowingCloud, Growth

SIDE_PX, ITERATIONS = 240, 1000
MARKS_SECS = (5.0, 10.0, 20.0, 40.0, 80.0)
FIRST_CLOUD_SECS = 5.0
FIRST_PICTURE_MS = 50.0
FIRST_SHARE = 0.05
LARGE = 1_000_000
ROUNDS = 5
PARTS = ("positions", "rotations", "scales", "opacities", "sh")


@dataclass(frozen=True)
class Held:
    """What a client held at some moment."""

    secs: float
    received_bytes: int
    rows: FloatArray
    version: int


def run() -> Iterator[Figure]:
    """All figures; two minutes."""
    note(f"load average {os.getloadavg()[0]:.1f} at the start; {os.cpu_count()} cores")
    with serving() as served:
        served.settle()
        yield from first_pictures(served)
        if FOX.exists():
            yield from growing(served)
        else:
            note(f"no photographs at {FOX}: the growing cloud is left out")


def first_pictures(served: Served) -> Iterator[Figure]:
    """A million stored splats: milliseconds until the first rows can be drawn, and what they look like."""
    with served.connect() as near, served.connect(share_disk=False) as far:
        job = near.submit("splats.blank", {"splats": LARGE}, seed=1)
        digest = job.result(120)[0].digest
        whole = _arrays(near.fetch(digest))
        total = sum(array.nbytes for array in whole.values())
        for name, client in (("path", near), ("socket", far)):
            found = [_first_rows(client, digest) for _ in range(ROUNDS)]
            first_ms = float(np.median([first for first, _, _ in found])) * 1e3
            share_ms = float(np.median([share for _, share, _ in found])) * 1e3
            limit = f"limit ≤ {FIRST_PICTURE_MS:.0f} ms"
            yield Figure("growth", f"first picture of 1M splats by {name}", first_ms, "ms", limit, FIRST_PICTURE_MS)
            figure = f"most important 5 % of 1M splats by {name}"
            yield Figure("growth", figure, share_ms, "ms", limit, FIRST_PICTURE_MS)
            rows = found[0][2]
            bytes_share = 100 * rows / LARGE
            yield Figure(
                "growth", f"of the {total / 1e6:.0f} MB by then, by {name}", bytes_share, "%", "limit ≤ 5 %", 5
            )
            camera = looking_at((0.5, 0.8, 2.6), (0, 0, 0), fov_y_deg=45, width=480, height=480)
            seen = psnr(_picture(_first(whole, rows), camera), _picture(_first(whole, LARGE), camera))
            yield Figure("growth", f"first picture against the whole, by {name}", seen, "dB", "20 dB", 20.0)


def _first_rows(client: Client, digest: str) -> tuple[float, float, int]:
    """Seconds until the first rows, and a twentieth of them, can be drawn; and how many the first were."""
    began = time.perf_counter()
    reply = client.start_fetch(digest, progressive=True)
    first, rows = 0.0, 0
    while True:
        client.drive(lambda rows=rows: reply.done or _rows(reply.partial) > rows, 30, "the rows")  # type: ignore[misc]
        if reply.done and not first:  # by path: take the twentieth into memory, as whoever draws it would
            few = {name: np.array(np.asarray(Asset(reply.value).array(name).data)[: LARGE // 20]) for name in PARTS}
            secs = time.perf_counter() - began
            return secs, secs, len(few["sh"])
        here = LARGE if reply.done else _rows(reply.partial)
        if not first:
            first, rows = time.perf_counter() - began, here
            count = here
        if here >= LARGE * FIRST_SHARE:
            share = time.perf_counter() - began
            client.drive(lambda: reply.done, 60, "the rest")
            return first, share, count
        rows = here


def _rows(partial: object) -> int:
    here = partial.first_rows() if partial is not None else {}  # type: ignore[attr-defined]
    return int(here["positions"].shape[0]) if here else 0


def growing(served: Served) -> Iterator[Figure]:
    """The fox: what a client over the socket holds as training goes on, in bytes and decibels."""
    photographs, _ = load_photographs(read_capture(FOX), longest_side_px=SIDE_PX)
    kept = held_out(len(photographs), 8)
    judged = [photograph for photograph, held in zip(photographs, kept, strict=True) if held]
    with served.connect(share_disk=False) as client:
        capture = client.upload(FOX)
        began = time.perf_counter()
        seen: list[Held] = []
        pieces: list[Held] = []

        def grown(cloud: GrowingCloud) -> None:
            now = Held(time.perf_counter() - began, cloud.received_bytes, np.array(cloud.rows), cloud.version)
            if cloud.version == 0:
                pieces.append(now)
            elif not seen or seen[-1].version != cloud.version:
                seen.append(now)

        values = {"resolution_px": SIDE_PX, "iterations": ITERATIONS, "splats_max": 30_000, "hold_out_every": 8}
        job = client.submit("splats.from_photos", values, inputs={"photos": capture}, seed=1, preview_px=0, fresh=True,
                            growth=Growth(per_sec=1), on_grown=grown)  # fmt: skip
        client.drive(lambda: job.over and job.cloud is not None and job.cloud.final, 600, "the cloud")
        final = _arrays(client.fetch(job.assets[0]))
        yield from _of_first(pieces, seen[0], judged)
        yield from _over_time(seen, judged)
        wanted = rows_of(_first(final, len(final["positions"])))
        assert job.cloud is not None
        same = bool((np.asarray(job.cloud.in_order()).view(np.uint32) == wanted.view(np.uint32)).all())
        yield Figure("growth", "client's cloud is the asset bit for bit", float(same), "", "1 is yes", 1.0)


def _of_first(pieces: list[Held], whole: Held, judged: list[Photograph]) -> Iterator[Figure]:
    first = pieces[0] if pieces else whole
    limit = f"limit ≤ {FIRST_CLOUD_SECS:.0f} s"
    yield Figure("growth", "first cloud at the client", whole.secs, "s", limit, FIRST_CLOUD_SECS)
    share = 100 * first.received_bytes / whole.received_bytes
    yield Figure("growth", "first picture of the first cloud", share, "% of its bytes", "limit ≤ 5 %", 5.0)
    seen, full = _mean_psnr(first.rows, judged), _mean_psnr(whole.rows, judged)
    yield Figure("growth", "first picture, held out", seen, "dB", f"all of the first cloud, {full:.1f} dB", full)


def _over_time(seen: list[Held], judged: list[Photograph]) -> Iterator[Figure]:
    """At the marks and at the end: bytes and decibels of what is held, and what a version costs."""
    chosen = [max((one for one in seen if one.secs <= mark), key=lambda one: one.secs, default=None)
              for mark in MARKS_SECS]  # fmt: skip
    full = seen[-1].rows.nbytes / 1e6
    last = _mean_psnr(seen[-1].rows, judged)
    for mark, held in zip((*MARKS_SECS, seen[-1].secs), (*chosen, seen[-1]), strict=True):
        if held is not None and mark <= seen[-1].secs:
            decibels = _mean_psnr(held.rows, judged)
            megabytes = held.received_bytes / 1e6
            yield Figure("growth", f"held at {mark:.0f} s", decibels, "dB", f"the end, {last:.1f} dB", last)
            yield Figure(
                "growth", f"received at {mark:.0f} s", megabytes, "MB", f"the whole cloud, {full:.1f} MB", full
            )
    each = (seen[-1].received_bytes - seen[0].received_bytes) / max(1, len(seen) - 1) / 1e6
    yield Figure("growth", f"one of {len(seen)} versions", each, "MB", f"the whole cloud, {full:.1f} MB", full)


def _mean_psnr(rows: FloatArray, judged: list[Photograph]) -> float:
    splats = splats_of(np.ascontiguousarray(rows[rows[:, 10] > 0]))
    truth = [photograph.pixels.astype(np.float32) / np.float32(255) for photograph in judged]
    return float(np.mean([psnr(_picture(splats, one.camera), want) for one, want in zip(judged, truth, strict=True)]))


def _picture(splats: Splats, camera: Camera) -> FloatArray:
    """The cloud as that camera sees it, float32 [3, H, W] over black."""
    backend, rules = NumbaBackend(), Rules(sh_count=splats.sh.shape[1])
    projection = backend.project(from_splats(splats), camera, rules)
    black = np.zeros(3, np.float32)
    return backend.rasterize(projection, projection.colour, black, camera.width, camera.height).image


def _arrays(asset: Asset) -> dict[str, FloatArray]:
    return {name: np.asarray(asset.array(name).data) for name in PARTS}


def _first(arrays: dict[str, FloatArray], rows: int) -> Splats:
    positions, rotations, scales, opacities, sh = (np.ascontiguousarray(arrays[name][:rows]) for name in PARTS)
    return Splats(positions, rotations, scales, opacities, sh)
