"""Provenance and keys depend on the request and on nothing else."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.provenance import package_version, provenance, work_key
from tests.fakes import HASTY, SCRIPT

VALUES = st.dictionaries(
    st.text(max_size=8), st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8), max_size=6
)


@given(values=VALUES, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_parameters_does_not_matter(values: dict[str, Any], seed: int) -> None:
    turned = dict(reversed(list(values.items())))
    assert work_key(SCRIPT, values, {}, seed, "cpu") == work_key(SCRIPT, turned, {}, seed, "cpu")


def test_everything_that_decides_a_result_is_in_the_key() -> None:
    works: list[tuple[Any, ...]] = [
        (SCRIPT, {"a": 1}, {}, 1, "cpu"),
        (HASTY, {"a": 1}, {}, 1, "cpu"),
        (SCRIPT, {"a": 2}, {}, 1, "cpu"),
        (SCRIPT, {"a": 1, "b": 0}, {}, 1, "cpu"),
        (SCRIPT, {"a": 1}, {"x": "0" * 64}, 1, "cpu"),
        (SCRIPT, {"a": 1}, {"y": "0" * 64}, 1, "cpu"),
        (SCRIPT, {"a": 1}, {}, 2, "cpu"),
        (SCRIPT, {"a": 1}, {}, 1, "cuda"),
    ]
    keys = [work_key(*work) for work in works]
    assert all(one != other for one, other in itertools.combinations(keys, 2))


def test_provenance_holds_all_that_is_needed_to_ask_again() -> None:
    made = provenance(SCRIPT, {"a": 1}, {"x": "0" * 64}, 5, "cpu")
    assert made == {
        "generator": "fake.script",
        "version": 1,
        "title": "Fake",
        "params": {"a": 1},
        "seed": 5,
        "inputs": {"x": "0" * 64},
        "device": "cpu",
        "scenecast": package_version(),
    }
