from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import msgpack
import msgspec
import pytest

from bridge import codegen, declarations, messages, wire
from bridge.errors import WireError
from bridge.messages import BridgeMessage, ClientMessage

ROOT = Path(__file__).resolve().parents[2]


def vectors(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((ROOT / "tests" / "vectors" / f"{name}.json").read_text("utf-8"))
    return loaded


def ours(vector: dict[str, Any]) -> tuple[Any, bytes]:
    frame = bytes.fromhex(vector["hex"])
    decode = wire.decode_client if vector["direction"] == "client" else wire.decode_bridge
    message, payload = decode(frame)
    return msgspec.to_builtins(message), bytes(payload)


def theirs(vector: dict[str, Any]) -> tuple[Any, bytes]:
    """Taken apart by the layout's description and read by the `msgpack` package."""
    frame = bytes.fromhex(vector["hex"])
    if frame[0] != 0xCE:
        return msgpack.unpackb(frame), b""
    end = 5 + int.from_bytes(frame[1:5], "big")
    return msgpack.unpackb(frame[5:end]), frame[end:]


def same(one: object, other: object) -> bool:
    """Equal in value and in kind, the sign of zero included."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and one == other


def contains(whole: Any, part: Any) -> bool:
    """Whether `whole` is `part` with further keys in its maps."""
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return same(whole, part)


def test_everything_derived_is_current() -> None:
    assert codegen.stale() == [], "run python -m bridge.codegen"


def test_a_changed_file_is_stale_and_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(codegen.write(tmp_path)) == sorted(codegen.TARGETS)
    assert codegen.write(tmp_path) == []
    (tmp_path / "docs" / "protocol.md").write_text("old", "utf-8")
    assert codegen.stale(tmp_path) == ["docs/protocol.md"]
    assert codegen.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_every_declared_message_and_part_is_listed_once() -> None:
    def leaves(kind: type) -> list[type]:
        below: list[type] = kind.__subclasses__()
        return [leaf for one in below for leaf in leaves(one)] if below else [kind]

    declared = [kind for kind in leaves(messages.Part) if kind.__module__.startswith("bridge.messages.")]
    assert sorted(map(repr, messages.PARTS)) == sorted(map(repr, declared))
    said = [kind for kind in leaves(messages.Message) if kind.__module__.startswith("bridge.messages.")]
    assert sorted(map(repr, (*get_args(ClientMessage), *get_args(BridgeMessage)))) == sorted(map(repr, said))


def test_every_message_has_its_vectors_and_its_place_in_the_page() -> None:
    tags = {str(kind.__struct_config__.tag) for kind in (*get_args(ClientMessage), *get_args(BridgeMessage))}
    assert {vector["values"]["type"] for vector in vectors("messages")} == tags
    assert {vector["values"]["type"] for vector in vectors("unknown_fields")} == tags
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    for row in declarations.client_messages() + declarations.bridge_messages():
        assert f"### `{row.tag}`" in page
        assert row.words
        for field in row.fields:
            assert f"| `{field.name}` |" in page
    for part in declarations.parts():
        assert f"### {part.name}\n" in page


def test_messages_decode_alike_here_and_in_the_msgpack_package() -> None:
    for vector in vectors("messages"):
        values, payload = ours(vector)
        assert same(values, vector["values"]), vector["name"]
        assert payload.hex() == vector.get("payload", ""), vector["name"]
        said, behind = theirs(vector)
        assert contains(values, said), vector["name"]
        assert behind == payload, vector["name"]


def test_unknown_fields_are_skipped_everywhere() -> None:
    for vector in vectors("unknown_fields"):
        values, _ = ours(vector)
        assert same(values, vector["values"]), vector["name"]
        said, _ = theirs(vector)
        assert contains(said, values), vector["name"]
        assert "zz_later" in said, vector["name"]


def test_rejects_are_rejected_at_their_path() -> None:
    rejects = vectors("rejects")
    for vector in rejects:
        with pytest.raises(WireError) as caught:
            ours(vector)
        assert caught.value.path == vector["path"], vector["name"]
    assert {vector["breaks"] for vector in rejects} == {"layout", "missing", "type", "bound", "plain"}
    for vector in rejects:
        field = vector["name"].partition(": ")[2].split(" ")[0]
        if vector["breaks"] in ("type", "bound"):
            assert vector["path"].startswith(f"$.{field}"), vector["name"]


def test_rejects_of_missing_fields_name_every_required_one() -> None:
    missing = {vector["name"] for vector in vectors("rejects") if vector["breaks"] == "missing"}
    for row in declarations.client_messages() + declarations.bridge_messages():
        for field in row.fields:
            assert (f"{row.tag}: {field.name} missing" in missing) == field.required


def test_words_under_fields_are_found_in_bases_too() -> None:
    queued = next(row for row in declarations.bridge_messages() if row.tag == "job.queued")
    words = {field.name: field.words for field in queued.fields}
    assert words["time"] == "Seconds since 1970."
    assert words["reason"].startswith("Why again")


def test_the_payload_flag_is_in_the_declaration_of_both_sides() -> None:
    assert messages.UploadChunk.payload
    assert messages.AssetChunk.payload
