# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked and made before, kept in one JSON file per user: prompts to choose from, parameters to go back to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import json_file
from .runs import Order, Run

KEPT = 300
PROMPTS_SHOWN = 30


@dataclass(frozen=True)
class Past:
    """One earlier result with all that is needed to ask for it again."""

    generator: str
    title: str
    label: str
    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    digests: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    time: float = 0.0


class History:
    """The user's history; several Blenders may write to it, the last one wins."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.results: list[Past] = []
        """The newest first."""
        self.texts: dict[str, list[str]] = {}
        """Words typed before, the newest first, by the name of the parameter."""
        self.trouble = ""
        tree = json_file.read(path)
        if isinstance(tree, dict) and tree.get("version") == 1:
            self._load(tree)

    def asked(self, order: Order) -> None:
        """Remember the words of a request."""
        for name, value in order.params.items():
            if isinstance(value, str) and " " in value.strip():
                earlier = [text for text in self.texts.get(name, []) if text != value]
                self.texts[name] = [value, *earlier][:PROMPTS_SHOWN]
        self._save()

    def made(self, run: Run) -> None:
        """Remember a result; the same parameters and seed again replace the older entry."""
        order = run.order
        past = Past(
            order.generator,
            order.title,
            run.title,
            run.assets[0].kind if run.assets else order.kind,
            dict(order.params),
            run.seed,
            tuple(made.digest for made in run.assets),
            tuple(made.name for made in run.assets),
            run.ended,
        )
        same = (past.generator, past.params, past.seed)
        others = [one for one in self.results if (one.generator, one.params, one.seed) != same]
        self.results = [past, *others][:KEPT]
        self._save()

    def of_kinds(self, kinds: tuple[str, ...]) -> list[Past]:
        """Earlier results that can be an input taking these kinds."""
        return [one for one in self.results if one.kind in kinds and one.digests]

    def _load(self, tree: dict[str, Any]) -> None:
        self.texts = {str(name): [str(text) for text in texts] for name, texts in tree.get("texts", {}).items()}
        for row in tree.get("results", ()):
            try:
                known = {name: row[name] for name in Past.__dataclass_fields__ if name in row}
                known["digests"], known["names"] = tuple(known["digests"]), tuple(known["names"])
                self.results.append(Past(**known))
            except (KeyError, TypeError) as error:
                print(f"Scenecast: one entry of {self._path} could not be read: {error!r}")

    def _save(self) -> None:
        rows = [one.__dict__ for one in self.results]
        try:
            json_file.write(self._path, {"version": 1, "texts": self.texts, "results": rows})
            self.trouble = ""
        except OSError as error:
            self.trouble = f"The history cannot be kept: {error.strerror} ({self._path})"
