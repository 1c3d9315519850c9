"""Blender in its three supported series, for every test that asks for `blender`."""

from __future__ import annotations

import pytest

from tests.blender_addon.blenders import VERSIONS, Blender, found


@pytest.fixture(params=VERSIONS)
def blender(request: pytest.FixtureRequest) -> Blender:
    """Each Blender in turn; skips where one is not to be had, saying how to get it."""
    one = found(request.param)
    if isinstance(one, str):
        pytest.skip(one)
    return one
