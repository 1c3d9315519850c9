"""The extras that are named in words are those that the package declares."""

from __future__ import annotations

import tomllib
from pathlib import Path

from engines.extras import EXTRA_OF, how_to_get

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
DISTRIBUTIONS = {"pxr": "usd-core", "pillow_heif": "pillow-heif"}


def test_every_extra_holds_what_it_is_said_to() -> None:
    extras = tomllib.loads(PROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
    for module, extra in EXTRA_OF.items():
        name = DISTRIBUTIONS.get(module, module)
        assert any(requirement.startswith(name) for requirement in extras[extra]), (module, extra)


def test_what_to_type() -> None:
    assert how_to_get("diffusers.models") == "pip install 'scenecast[diffusion]'"
    assert how_to_get("somebody_elses") == "pip install somebody_elses"
    assert how_to_get("pxr", "PIL", "pxr.Usd") == "pip install 'scenecast[usd]' pillow"
