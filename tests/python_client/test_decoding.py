"""The client's messages against the bridge's declarations: every field, default, bound; both directions."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import messages as declared
from bridge import wire
from bridge.errors import WireError
from python_client import decoding, frames, messages
from python_client.errors import BadMessage

BRIDGE_MESSAGES: dict[str, Any] = {
    str(one.__struct_config__.tag): one for one in typing.get_args(declared.BridgeMessage)
}
PARTS = ["Limits", "HostRow", "WatchedFile", "FileRow", "AssetRow", "JobRow", "LiveRow"]
RENAMED = {"GeneratorRow": "Generator", "PortRow": "Port"}


def pairs() -> list[Any]:
    rows = [(tag, BRIDGE_MESSAGES[tag], messages.MESSAGES.get(tag)) for tag in BRIDGE_MESSAGES]
    rows += [(name, getattr(declared, name), getattr(messages, name)) for name in PARTS]
    rows += [(name, getattr(declared, name), getattr(messages, ours)) for name, ours in RENAMED.items()]
    return [pytest.param(theirs, ours, id=name) for name, theirs, ours in rows]


def test_the_protocol_is_the_same() -> None:
    assert (messages.PROTOCOL, messages.SUBPROTOCOL) == (declared.PROTOCOL, declared.SUBPROTOCOL)
    assert messages.DEFAULT_PORT == declared.DEFAULT_PORT
    assert (decoding.MAX_INTEGER, decoding.MAX_DEPTH) == (declared.MAX_INTEGER, declared.MAX_DEPTH)
    assert set(messages.MESSAGES) == set(BRIDGE_MESSAGES)
    assert set(messages.WITH_PAYLOAD) == {tag for tag, one in BRIDGE_MESSAGES.items() if one.payload}


@pytest.mark.parametrize(("theirs", "ours"), pairs())
def test_every_field_and_default_is_declared_alike(theirs: Any, ours: Any) -> None:
    mine = {item.name: item for item in dataclasses.fields(ours)}
    their = {item.name: item for item in msgspec.structs.fields(theirs)}
    assert mine.keys() == their.keys()
    for name, field in their.items():
        needed = mine[name].default is dataclasses.MISSING and mine[name].default_factory is dataclasses.MISSING
        assert needed == field.required, name
        made, theirs_made = mine[name].default_factory, field.default_factory
        if not needed and made is not dataclasses.MISSING:
            assert made() == theirs_made(), name
        elif not needed:
            assert mine[name].default == field.default, name


@pytest.mark.parametrize("name", ["JobState"])
def test_job_states_are_the_same(name: str) -> None:
    states = [str(state) for state in getattr(declared, name)]
    for state in states:
        decoding.decode(messages.JobAccepted, {"request_id": "r", "job_id": "j", "state": state, "seed": 1})
    assert "|".join(states) == typing.get_args(decoding.State)[1].pattern


WRONG: list[Any] = [None, True, -1, 0, 1, 1.5, 2.0, 2**53, 2**63, "", "a", "x" * 300, "ü b", b"x", [], [1], {},
                    {"a": 1}, "f" * 64, "F" * 64, "finished"]  # fmt: skip
FULL: dict[str, dict[str, Any]] = {
    "welcome": {"protocol": 1, "server": "s", "session": "s-1", "resumed": False, "shares_disk": True,
                "limits": {}, "generators": [{"id": "a.b", "title": "", "promise": "", "gives": []}],
                "hosts": [{"name": "web", "title": "", "formats": {"image": ["png"]}}]},
    "catalog": {"generators": []},
    "job.accepted": {"request_id": "r", "job_id": "j", "state": "queued", "seed": 1},
    "job.queued": {"seq": 1, "job_id": "j", "time": 1.0},
    "job.started": {"seq": 1, "job_id": "j", "time": 1.0},
    "job.noted": {"seq": 1, "job_id": "j", "time": 1.0, "text": "t"},
    "job.produced": {"seq": 1, "job_id": "j", "time": 1.0, "asset": {"digest": "0" * 64, "kind": "image"}},
    "job.finished": {"seq": 1, "job_id": "j", "time": 1.0, "assets": [{"digest": "0" * 64, "kind": "image"}]},
    "job.failed": {"seq": 1, "job_id": "j", "time": 1.0, "code": "run.failed", "message": "m"},
    "job.cancelled": {"seq": 1, "job_id": "j", "time": 1.0},
    "job.progress": {"job_id": "j", "fraction": 0.5},
    "job.preview": {"job_id": "j", "width_px": 1, "height_px": 1, "media_type": "image/jpeg"},
    "job.page": {"request_id": "r", "jobs": [{"job_id": "j", "request_id": "r", "generator": "g", "state": "queued",
                                              "priority": "final", "params": {"a": [1, 2.5, None, "x"]}}]},
    "job.rated": {"request_id": "r"},
    "asset.files": {"digest": "0" * 64, "kind": "image", "host": "web", "meta": {"a": {"b": [1]}},
                    "files": [{"name": "a.png", "role": "image", "media_type": "image/png", "size_bytes": 1,
                               "sha256": "0" * 64}]},
    "asset.chunk": {"transfer": "t", "file": 0, "offset": 0},
    "upload.state": {"request_id": "r", "digest": "0" * 64, "done": False},
    "store.collected": {"request_id": "r", "assets": 1, "files": 2, "freed_bytes": 3, "left_bytes": 4},
    "pong": {"id": 1},
    "refused": {"code": "c", "message": "m"},
    "closing": {},
    "job.steered": {"job_id": "j"},
    "job.grown": {"job_id": "j", "stream": "s", "version": 1, "count": 2},
    "growth.files": {"request_id": "r", "job_id": "j", "stream": "s", "version": 1},
    "live.opened": {"request_id": "r", "live": "l"},
    "live.image": {"live": "l", "frame": 1, "width_px": 1, "height_px": 1, "media_type": "image/raw"},
    "live.state": {"live": "l", "stage": "ready"},
    "live.closed": {"live": "l"},
}  # fmt: skip


def frame(values: dict[str, Any]) -> bytes:
    header: bytes = msgspec.msgpack.encode(values)
    if values["type"] in messages.WITH_PAYLOAD:
        return b"\xce" + len(header).to_bytes(4, "big") + header + b"payload"
    return header


def verdicts(data: bytes) -> tuple[Any, Any]:
    """(ours, the bridge's): the fields as plain values, or None for a refusal."""
    try:
        ours = dataclasses.asdict(frames.decode_frame(data)[0])
    except BadMessage:
        ours = None
    try:
        theirs = msgspec.to_builtins(wire.decode_bridge(data)[0], builtin_types=(bytes,))
    except WireError:
        theirs = None
    return ours, theirs


def spoiled(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside the values."""
    places = [path]
    for key in values if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ():
        places += spoiled(values[key], (*path, key))
    return places


def replaced(values: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(values) if isinstance(values, dict) else list(values)
    copy[path[0]] = replaced(values[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("tag", FULL)
def test_whatever_stands_anywhere_is_taken_or_refused_as_by_the_bridge(tag: str) -> None:
    """Every value of a long list in every place of every message: the same verdict, and the same values."""
    assert set(FULL) == set(BRIDGE_MESSAGES)
    optional = {item.name: None for item in msgspec.structs.fields(BRIDGE_MESSAGES[tag])}
    whole = {"type": tag, **FULL[tag], "added_later": {"x": 1}}
    for name in (*(n for n in optional if n not in FULL[tag]), "nothing"):
        start = {**whole, name: 0}
        for place in spoiled(start)[1:]:
            if place == ("type",):
                continue
            for value in WRONG:
                ours, theirs = verdicts(frame(replaced(start, place, value)))
                assert (ours is None) == (theirs is None), (place, value, ours, theirs)
                if theirs is not None:
                    theirs.pop("type")
                    assert ours == theirs, (place, value)
    for item in msgspec.structs.fields(BRIDGE_MESSAGES[tag]):
        ours, theirs = verdicts(frame({key: value for key, value in whole.items() if key != item.name}))
        assert (ours is None) == (theirs is None) == item.required, item.name


@given(st.sampled_from(sorted(FULL)), st.binary(max_size=20), st.integers(0, 400))
def test_damaged_frames_get_the_same_verdict(tag: str, noise: bytes, at: int) -> None:
    data = frame({"type": tag, **FULL[tag]})
    at %= len(data)
    ours, theirs = verdicts(data[:at] + noise + data[at + len(noise) :])
    if theirs is not None:
        theirs.pop("type")
    assert ours == theirs or (ours is None and _has_unreadable_name(data[:at] + noise + data[at + len(noise) :]))


def _has_unreadable_name(data: bytes) -> bool:
    """Names that the message does not have are skipped by the bridge's decoder as they are, UTF-8 or not."""
    with pytest.raises(BadMessage) as refused:
        frames.decode_frame(data)
    return "not UTF-8" in str(refused.value)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({**FULL["job.progress"], "fraction": 2}, "$.fraction"),
        ({**FULL["job.progress"], "fraction": float("nan")}, "$.fraction"),
        ({**FULL["job.finished"], "assets": [{"digest": "x", "kind": "image"}]}, "$.assets[0].digest"),
        ({**FULL["job.finished"], "assets": [{"kind": "image"}]}, "$.assets[0]"),
    ],
)
def test_a_refusal_names_the_place(values: dict[str, Any], path: str) -> None:
    kind = messages.JobProgress if "fraction" in values else messages.JobFinished
    with pytest.raises(BadMessage) as refused:
        decoding.decode(kind, values)
    assert refused.value.path == path
