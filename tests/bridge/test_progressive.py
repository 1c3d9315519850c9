"""Clouds that arrive row by row: every byte once, the first rows of all arrays together, and early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.messages import FileRow
from bridge.progressive import interleaved
from engines import neutral
from engines.importance import sorted_splats
from python_client import messages
from python_client.transfers import Delivery, Spool
from tests.bridge.served import client, served
from tests.engines.test_importance import cloud
from tests.workplace import act


def file_row(name: str, shape: tuple[int, ...], offset: int = 128, **changes: Any) -> FileRow:
    size = offset + int(np.prod(shape)) * 4
    values: dict[str, Any] = {
        "name": f"{name}.npy", "role": name, "media_type": "application/x-npy", "size_bytes": size,
        "sha256": "0" * 64, "dtype": "<f4", "shape": list(shape), "offset": offset,
    }  # fmt: skip
    return FileRow(**{**values, **changes})


@given(st.integers(1, 300_000), st.sampled_from([1, 4, 9, 16]), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_every_byte_comes_once_and_rows_come_together(count: int, harmonics: int, offset: int) -> None:
    files = [file_row("opacities", (count,), offset), file_row("positions", (count, 3), offset),
             file_row("sh", (count, harmonics, 3), offset)]  # fmt: skip
    plan = interleaved(files)
    assert plan is not None
    here = [0, 0, 0]
    whole = sum(file.size_bytes for file in files)
    for number, (index, at, size) in enumerate(plan):
        assert at == here[index] and 0 < size <= 768 << 10, "in order, and no larger than a chunk"
        here[index] += size
        if number == len(files) - 1 and count > 1000:
            assert sum(here) < 0.05 * whole, "a first picture from a twentieth of the bytes"
        if number % len(files) == len(files) - 1:
            widths = (4, 12, 12 * harmonics)
            rows = {(done - offset) // width for done, width in zip(here, widths, strict=True)}
            assert len(rows) == 1, "after each turn all arrays have the same rows"
    assert here == [file.size_bytes for file in files]


def test_what_is_no_cloud_comes_file_by_file() -> None:
    assert interleaved([file_row("pixels", (8, 8, 3))]) is None
    assert interleaved([file_row("a", (5,)), file_row("b", (6,))]) is None
    assert interleaved([file_row("a", (0,)), file_row("b", (0,))]) is None
    picture = file_row("b", (), dtype="", size_bytes=99)
    assert interleaved([file_row("a", (5,)), picture]) is None
    assert interleaved([file_row("a", (5,)), file_row("b", (5,), size_bytes=5)]) is None


def test_a_client_can_draw_a_cloud_while_it_arrives(tmp_path: Path) -> None:
    splats = sorted_splats(cloud(40_000, 4, levels=1000))

    async def story() -> None:
        async with served(tmp_path) as house, client(house.url) as one:
            folder = house.store.temporary()
            folder.mkdir()
            draft = neutral.write(splats, folder)
            digest = (await house.store.adopt_asset(draft, folder, {"generator": "test"})).digest
            ask: dict[str, Any] = {"request_id": "r", "digest": digest, "host": "neutral", "progressive": True}
            told = await one.ask("asset.fetch", "asset.files", **ask)
            told.pop("type")
            files = [messages.FileRow(**row) for row in told.pop("files")]
            delivery = Delivery(messages.AssetFiles(**told, files=files), Spool(), verify=True)
            seen: list[int] = []
            while not delivery.complete:
                chunk = await one.hear_until("asset.chunk")
                payload = chunk.pop("payload")
                chunk.pop("type")
                delivery.take(messages.AssetChunk(**chunk), memoryview(payload))
                await one.say("asset.credit", size_bytes=len(payload))
                here = delivery.first_rows()
                if here:
                    rows = here["positions"].shape[0]
                    seen += [rows] if rows not in seen else []
                    for name, array in here.items():
                        assert np.array_equal(np.asarray(array.data), getattr(splats, name)[:rows]), name
            assert len(seen) > 5 and seen[0] <= 400 and seen[-1] == 40_000

    act(story())
