"""The host rows contradict neither themselves nor the tables they point to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.conventions import Direction, Host
from engines.errors import UnknownHost
from engines.formats.registry import formats
from engines.hosts import HOSTS, host
from engines.kinds import ColourSpace, Kind, MapName

WAYS: dict[Direction, tuple[int, int, int]] = {
    "right": (1, 0, 0), "left": (-1, 0, 0),
    "up": (0, 1, 0), "down": (0, -1, 0),
    "back": (0, 0, 1), "forward": (0, 0, -1),
}  # fmt: skip
rows = pytest.mark.parametrize("row", HOSTS.values(), ids=HOSTS)


def unit(row: Host, axis: str) -> Any:
    return np.array(WAYS[getattr(row.axes, axis)])


@rows
def test_handedness_follows_from_the_axes(row: Host) -> None:
    side = int(np.dot(np.cross(unit(row, "x"), unit(row, "y")), unit(row, "z")))
    assert {1: "right", -1: "left"}[side] == row.handed


@rows
def test_each_axis_is_its_own(row: Host) -> None:
    used = {axis for name in "xyz" for axis in np.flatnonzero(unit(row, name))}
    assert used == {0, 1, 2}


def test_up_and_unit_are_the_hosts_own() -> None:
    expected = {
        "blender": ("z", 1.0, "right", 1),
        "unity": ("y", 1.0, "left", 1),
        "unreal": ("z", 0.01, "left", -1),
        "web": ("y", 1.0, "right", 1),
        "python": ("y", 1.0, "right", 1),
    }
    for name, row in HOSTS.items():
        up = next(axis for axis in "xyz" if getattr(row.axes, axis) == "up")
        assert (up, row.unit_m, row.handed, row.normal_y) == expected[name]


@rows
def test_every_kind_has_a_format_that_holds_it(row: Host) -> None:
    assert set(row.formats) == set(Kind)
    for kind, names in row.formats.items():
        assert names
        assert len(set(names)) == len(names)
        for name in set(names) & set(formats()):
            assert kind in formats()[name].kinds, f"{row.name}: {name} holds no {kind}"


@rows
def test_packed_maps_name_real_maps_once_and_fill_what_is_lacking(row: Host) -> None:
    for packed in row.packed:
        sources = {source.removeprefix("1-") for source in packed.channels.values()}
        assert sources <= set(MapName)
        assert packed.colour_space is ColourSpace.DATA
        assert set(packed.fill) >= set(packed.channels)
        assert all(0 <= value <= 1 for value in packed.fill.values())
        assert packed.name not in set(MapName)
    names = [packed.name for packed in row.packed]
    assert len(set(names)) == len(names)


@rows
def test_no_map_is_lost(row: Host) -> None:
    packed = {source.removeprefix("1-") for each in row.packed for source in each.channels.values()}
    assert set(row.plain_maps) | packed | {MapName.OPACITY} == set(MapName)


@rows
def test_every_quirk_ends_with_its_source(row: Host) -> None:
    for quirk in row.quirks:
        assert quirk.rstrip(".").endswith(")") or "(" in quirk
        assert quirk.endswith(".")


def test_an_unknown_host_is_refused_with_the_known_ones() -> None:
    assert host("unreal") is HOSTS["unreal"]
    with pytest.raises(UnknownHost, match="maya") as refused:
        host("maya")
    assert all(name in refused.value.remedy for name in HOSTS)
