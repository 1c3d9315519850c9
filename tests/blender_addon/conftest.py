"""Blender in its three supported series, for every test that asks for `blender`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from blenders import VERSIONS, Blender, found


@pytest.fixture(params=VERSIONS)
def blender(request: pytest.FixtureRequest) -> Blender:
    """Each Blender in turn; skips where one is not to be had, saying how to get it."""
    one = found(request.param)
    if isinstance(one, str):
        pytest.skip(one)
    return one
