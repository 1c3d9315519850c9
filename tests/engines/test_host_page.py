"""The page about conventions says what the rows say."""

from __future__ import annotations

import numpy as np
import pytest

from engines.host_page import PAGE, page
from engines.hosts import HOSTS
from engines.transforms import host_from_neutral


def test_page_is_current() -> None:
    if not PAGE.exists():
        pytest.skip("docs/ is not part of an installed package; run from a checkout")
    assert PAGE.read_text("utf-8") == page(), "run `python -m engines.host_page`"


def test_every_host_and_quirk_is_told() -> None:
    text = page()
    for host in HOSTS.values():
        assert f"## {host.title}" in text
        assert all(quirk in text for quirk in host.quirks)


def test_the_numbers_are_those_that_importers_of_each_host_come_to() -> None:
    """By hand: Blender's and Unity's glTF importers make (x, -z, y) and (-x, y, z); Unity turns handedness over."""
    text = page()
    for row in (
        "| blender | (x, -z, y) | (w, x, -z, y) |",
        "| unity | (-x, y, z) | (w, x, -y, -z) |",
        "| unreal | 100 · (-z, x, y) | (w, z, -x, -y) |",
        "| web | (x, y, z) | (w, x, y, z) |",
    ):
        assert row in text


def test_unreals_importer_and_row_are_a_yaw_of_90_degrees_apart() -> None:
    """As `engines/unreal.py` tells client authors. The importer: (x, z, y); yaw turns +X to +Y in Unreal's axes."""
    importer = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    yaw_90 = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(yaw_90 @ importer, host_from_neutral(HOSTS["unreal"]))
