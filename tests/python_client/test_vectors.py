"""The shared vectors that every client's decoder must pass: values, refusals with their place, unknown fields."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from python_client import frames, messages
from python_client.errors import BadMessage
from python_client.msgpack import pack

FOLDER = Path(__file__).resolve().parents[1] / "vectors"
TAGS = {kind: tag for tag, kind in messages.MESSAGES.items()}


def vectors(file: str, direction: str) -> list[Any]:
    rows = json.loads((FOLDER / file).read_text("utf-8"))
    return [pytest.param(row, id=row["name"]) for row in rows if row["direction"] == direction]


@pytest.mark.parametrize("row", vectors("messages.json", "bridge") + vectors("unknown_fields.json", "bridge"))
def test_what_the_bridge_says_is_understood(row: dict[str, Any]) -> None:
    message, payload = frames.decode_frame(bytes.fromhex(row["hex"]))
    assert {"type": TAGS[type(message)], **dataclasses.asdict(message)} == row["values"]
    assert bytes(payload).hex() == row.get("payload", "")


@pytest.mark.parametrize("row", vectors("rejects.json", "bridge"))
def test_what_is_wrong_is_refused_at_its_place(row: dict[str, Any]) -> None:
    with pytest.raises(BadMessage) as refused:
        frames.decode_frame(bytes.fromhex(row["hex"]))
    if row["breaks"] != "layout":  # bytes that are no MessagePack have no place a person could look at
        assert refused.value.path.removeprefix("$") == row["path"].removeprefix("$")


@pytest.mark.parametrize("row", vectors("messages.json", "client"))
def test_our_own_bytes_carry_the_same_values(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["hex"])
    values, payload, announced = frames.split(data)
    assert values.items() <= {**row["values"], **values}.items()
    assert frames.encode(values, payload) == data if announced and len(payload) else pack(values) in data
