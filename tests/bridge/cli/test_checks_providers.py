"""What is told of programs and weights that may be there, half there, or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bridge.cli import checks_providers
from bridge.cli.checks_providers import check_providers
from bridge.cli.finding import Finding


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCENECAST_CONFIG", str(tmp_path / "scenecast.toml"))
    (tmp_path / "scenecast.toml").write_text("")


def told() -> dict[str, Finding]:
    return {finding.what: finding for finding in check_providers()}


def test_nothing_is_needed() -> None:
    found = told()
    assert {finding.state for finding in found.values()} <= {"ok", "note"}
    assert "nerfstudio_python" in found["nerfstudio"].remedy and "MIT" in found["Shap-E"].remedy
    assert "text_to_image_folder" in found["text to image"].remedy and "RAIL" in found["text to image"].remedy


def test_what_is_named_must_be_what_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENECAST_NERFSTUDIO_PYTHON", sys.executable)
    monkeypatch.setenv("SCENECAST_SHAP_E_FOLDER", str(tmp_path))
    monkeypatch.setenv("SCENECAST_TEXT_TO_IMAGE_FOLDER", str(tmp_path))
    found = told()
    assert found["nerfstudio"].state == "warning" and "nerfstudio" in found["nerfstudio"].words
    assert found["Shap-E"].state == found["text to image"].state == "warning"
    (tmp_path / "model_index.json").write_text("{}")
    assert told()["Shap-E"].state == told()["text to image"].state == "ok"


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
@pytest.mark.parametrize(("release", "state"), [("1.1.5", "ok"), ("0.3.4", "warning")])
def test_the_release_of_nerfstudio_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str, state: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho {release}\n")
    python.chmod(0o755)
    monkeypatch.setenv("SCENECAST_NERFSTUDIO_PYTHON", str(python))
    assert (told()["nerfstudio"].state, release in told()["nerfstudio"].words) == (state, True)


def test_an_empty_kaolin_is_seen_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kaolin").mkdir()
    (tmp_path / "kaolin" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = checks_providers._kaolin()
    assert finding.state == "note" and "placeholder" in finding.remedy and "kaolin.ops" in finding.words


@pytest.mark.parametrize(("release", "words"), [("'0.18.0'", "0.18.0"), (None, "of an unknown release")])
def test_a_true_kaolin_is_told_even_without_its_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str | None, words: str
) -> None:
    spc = tmp_path / "kaolin" / "ops" / "spc"
    spc.mkdir(parents=True)
    (tmp_path / "kaolin" / "__init__.py").write_text(f"__version__ = {release}\n" if release else "")
    (spc.parent / "__init__.py").write_text("")
    (spc / "__init__.py").write_text("scan_octrees = unbatched_query = None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = checks_providers._kaolin()
    assert finding.state == "ok" and words in finding.words
    (spc / "__init__.py").write_text("from kaolin import _C\n")
    finding = checks_providers._kaolin()
    assert finding.state == "note" and "for this torch" in finding.remedy and "_C" in finding.words
