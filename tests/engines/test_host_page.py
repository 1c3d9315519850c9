"""The page about conventions says what the rows say."""

from __future__ import annotations

import pytest

from engines.host_page import PAGE, page
from engines.hosts import HOSTS


def test_page_is_current() -> None:
    if not PAGE.exists():
        pytest.skip("docs/ is not part of an installed package; run from a checkout")
    assert PAGE.read_text("utf-8") == page(), "run `python -m engines.host_page`"


def test_every_host_and_quirk_is_told() -> None:
    text = page()
    for host in HOSTS.values():
        assert f"## {host.title}" in text
        assert all(quirk in text for quirk in host.quirks)
