"""What doctor says of declarations that do not count."""

from __future__ import annotations

import pytest

from bridge.cli import checks
from bridge.cli.finding import Finding
from generators import catalog
from generators.catalog import Catalog
from tests import fakes


def test_doctor_names_declarations_that_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = Catalog((fakes.SCRIPT, fakes.SCRIPT), origins=("scenecast", "other"))
    monkeypatch.setattr(catalog, "load", lambda: twice)
    problem, count = checks.check_generators()
    assert (problem.state, problem.what) == ("problem", "generator fake.script")
    assert "of scenecast counts" in problem.words and "of other does not" in problem.words and problem.remedy
    assert count == Finding("ok", "generators", "1 are declared")


def test_doctor_is_content_with_what_is_installed() -> None:
    assert [finding.state for finding in checks.check_generators()] == ["ok"]
