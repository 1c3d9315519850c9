# SPDX-License-Identifier: GPL-3.0-or-later
"""Named sets of parameters, one JSON file each: `presets/GENERATOR/NAME.json` in the add-on's user folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import json_file

_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f]')


class PresetError(Exception):
    """A preset cannot be kept or read; says why in one sentence."""


class Presets:
    """The user's presets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self, generator: str) -> list[str]:
        """The presets of a generator, in alphabetical order."""
        folder = self._folder / generator
        return sorted((path.stem for path in folder.glob("*.json")), key=str.casefold) if folder.is_dir() else []

    def save(self, generator: str, name: str, params: Mapping[str, Any]) -> str:
        """Keep parameters under a name, replacing what had it; the name as it is kept. Raises `PresetError`."""
        kept = _FORBIDDEN.sub("_", name).strip(" .")[:80]
        if not kept:
            raise PresetError("A preset needs a name")
        try:
            json_file.write(self._path(generator, kept), {"version": 1, "generator": generator, "params": dict(params)})
        except OSError as error:
            raise PresetError(f"{kept} cannot be written to {self._folder}: {error.strerror}") from error
        return kept

    def load(self, generator: str, name: str) -> dict[str, Any]:
        """The parameters of a preset. Raises `PresetError`."""
        tree = json_file.read(self._path(generator, name))
        params = tree.get("params") if isinstance(tree, dict) else None
        if not isinstance(params, dict):
            raise PresetError(f"There is no preset {name!r} for {generator}")
        return params

    def remove(self, generator: str, name: str) -> None:
        """Remove a preset; it may be gone already."""
        self._path(generator, name).unlink(missing_ok=True)

    def _path(self, generator: str, name: str) -> Path:
        if not re.fullmatch(r"[a-z0-9_.]+", generator) or ".." in generator or _FORBIDDEN.search(name):
            raise PresetError(f"{generator}/{name} is no name of a preset")
        return self._folder / generator / f"{name}.json"
