"""From a request to a record: defaults filled in, seeds drawn, wrong requests refused with their wire codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge import errors
from bridge.acceptance import accepted_record, fingerprint, said_to_client
from bridge.messages import Deliver, JobState, JobSubmit, PreviewWish, Priority
from bridge.provenance import work_key
from bridge.records import COLUMNS, JobRecord, column, record_from
from bridge.store import Store
from generators import errors as catalog_errors
from generators.catalog import Catalog
from tests import fakes

CATALOG = Catalog.from_specs(*fakes.SPECS)


def accepted(root: Path, device_kind: str = "cpu", **request: Any) -> JobRecord:
    submit = JobSubmit(**{"request_id": "r", "generator": "fake.script", **request})
    return accepted_record("s", submit, CATALOG, Store(root), [], device_kind)


def test_a_record_holds_the_whole_request(tmp_path: Path) -> None:
    wish, deliver = PreviewWish(size_px=64), Deliver(host="unity")
    job = accepted(
        tmp_path, params={"size_px": 32}, seed=5, priority=Priority.LIVE, label="x", preview=wish, deliver=deliver
    )
    assert job.params == msgspec.to_builtins(fakes.ScriptParams(size_px=32))
    assert (job.seed, job.priority, job.label, job.preview, job.deliver) == (5, Priority.LIVE, "x", wish, deliver)
    assert job.key == work_key(fakes.SCRIPT, job.params, {}, 5, "cpu") and job.state is JobState.QUEUED
    assert [step.generator for step in job.plan] == ["fake.script"]
    assert accepted(tmp_path, device_kind="", seed=5).key == ""


def test_a_seed_is_drawn_when_none_is_given(tmp_path: Path) -> None:
    seeds = {accepted(tmp_path).seed for _ in range(20)}
    assert len(seeds) > 15 and all(0 <= seed < 2**32 for seed in seeds)


def test_a_fingerprint_tells_requests_apart_and_not_their_order() -> None:
    one = JobSubmit(request_id="r", generator="g", params={"a": 1, "b": 2})
    turned = JobSubmit(request_id="r", generator="g", params={"b": 2, "a": 1})
    assert fingerprint(one) == fingerprint(turned)
    for change in ({"params": {"a": 1}}, {"seed": 0}, {"fresh": True}, {"label": "x"}, {"priority": Priority.LIVE}):
        assert fingerprint(msgspec.structs.replace(one, **change)) != fingerprint(one)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (catalog_errors.UnknownGenerator, errors.UnknownGenerator),
        (catalog_errors.Unavailable, errors.GeneratorUnavailable),
        (catalog_errors.BadParameter, errors.BadParameter),
        (catalog_errors.BadInput, errors.BadInput),
        (catalog_errors.BadRecipe, errors.RequestError),
    ],
)
def test_every_catalog_error_has_a_wire_code(
    mine: type[catalog_errors.CatalogError], theirs: type[errors.RequestError]
) -> None:
    with pytest.raises(theirs) as caught, said_to_client():
        raise mine("what", path="$.x", remedy="do")
    assert type(caught.value) is theirs
    assert (caught.value.message, caught.value.path, caught.value.remedy) == ("what", "$.x", "do")


def test_a_row_of_the_ledger_is_a_record_again(tmp_path: Path) -> None:
    job = accepted(tmp_path, params={"note": "ü \x00 ☃", "sleep_secs": 0.1}, preview=PreviewWish(), fresh=True)
    job.notes = ["a", "b"]
    assert record_from([column(name, getattr(job, name)) for name in COLUMNS]) == job
