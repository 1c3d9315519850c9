# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist has chosen and typed so far, for every generator; it outlives file loads and catalog changes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import json_file
from .client_core import Generator
from .controls import SEED_MAX, Control, Value, controls, defaults, fault, faults, params, values_of
from .panel_model import categories, generator_rows, kind_of, port_rows
from .runs import Order, Source
from .targets import Target, TargetKind, choices

LABEL_CHARACTERS = 60


class Form:
    """The form's content. Nothing typed is lost when a generator disappears and comes back."""

    def __init__(self, path: Path) -> None:
        self.kind = ""
        """What is to be made."""
        self.generator = ""
        """Id of the chosen generator; empty when there is none of that kind."""
        self.seed = 0
        self.seed_fixed = False
        """Off: every request gets a new seed, which is shown."""
        self._path = path
        self._generators: list[Generator] = []
        self._controls: dict[str, tuple[Control, ...]] = {}
        self._chosen: dict[str, str] = {}
        self._params: dict[str, dict[str, Any]] = {}
        self._values: dict[str, dict[str, Value]] = {}
        self._targets: dict[str, str] = {}
        self._saved: Any = None
        self._load(json_file.read(path))

    # ---------------------------------------------------------------------------- the catalog

    def follow(self, generators: Sequence[Generator]) -> bool:
        """Take the catalog as it is now; True when what is shown has to be drawn anew."""
        if not generators or list(generators) == self._generators:
            return False
        for row in self._generators:
            if row.id in self._values:
                self._params[row.id] = self._kept(row.id)
        self._generators = list(generators)
        self._controls, self._values = {}, {}
        kinds = [one.kind for one in categories(generators)]
        self.choose_kind(self.kind if self.kind in kinds else kinds[0] if kinds else "")
        return True

    @property
    def row(self) -> Generator | None:
        """The chosen generator."""
        return next((row for row in self._generators if row.id == self.generator), None)

    def choose_kind(self, kind: str) -> None:
        """Show the generator that was chosen last for this kind."""
        self.kind = kind
        rows = generator_rows(self._generators, kind)
        known = [one.id for one in rows]
        earlier = self._chosen.get(kind, "")
        self.generator = earlier if earlier in known else known[0] if known else ""

    def choose_generator(self, generator: str) -> bool:
        """Show this generator; False when there is none of that id."""
        row = next((one for one in self._generators if one.id == generator), None)
        if row is None:
            return False
        self.kind, self.generator = kind_of(row), row.id
        self._chosen[self.kind] = row.id
        return True

    @property
    def controls(self) -> tuple[Control, ...]:
        """Of the chosen generator."""
        return self._controls_of(self.generator)

    # ----------------------------------------------------------------------------- the values

    @property
    def values(self) -> dict[str, Value]:
        """Of the chosen generator; to be changed in place or through `take`."""
        if self.generator not in self._values:
            rows, earlier = self.controls, self._params.get(self.generator)
            self._values[self.generator] = defaults(rows) if earlier is None else values_of(rows, earlier)
        return self._values[self.generator]

    def take(self, values: Mapping[str, Value]) -> None:
        """These values, as they were typed."""
        known = {row.name for row in self.controls}
        self.values.update({name: value for name, value in values.items() if name in known})

    def take_params(self, given: Mapping[str, Any]) -> None:
        """The parameters of a preset or of an earlier result; what they do not name is default."""
        self._values[self.generator] = values_of(self.controls, given)

    def reset(self) -> None:
        """Back to the generator's defaults."""
        self._values[self.generator] = defaults(self.controls)

    def params(self) -> dict[str, Any]:
        """The values as parameters. Raises ValueError for JSON text that is none."""
        return params(self.controls, self.values)

    def reroll(self) -> int:
        """Another seed."""
        self.seed = random.randrange(SEED_MAX + 1)
        return self.seed

    @property
    def target(self) -> TargetKind:
        """Where results of this kind go."""
        kept = self._targets.get(self.kind, "auto")
        possible: dict[str, TargetKind] = {choice[0]: choice[0] for choice in choices(self.kind)}
        return possible.get(kept, "auto")

    @target.setter
    def target(self, kind: str) -> None:
        self._targets[self.kind] = kind

    # ---------------------------------------------------------------------------- the request

    def hindrances(self, inputs: Mapping[str, object]) -> list[str]:
        """Why this cannot be asked for now, one sentence each; `inputs` names the ports that have something."""
        row = self.row
        if row is None:
            return ["Nothing to make is chosen"]
        if not row.available:
            return [row.reason or f"{row.title} cannot run here"]
        missing = [
            f"Choose the {port.title.lower()} it is made from"
            for port in port_rows(row.takes)
            if not port.optional and port.name not in inputs
        ]
        return [*missing, *faults(self.controls, self.values)]

    def order(self, inputs: Mapping[str, Source], target: Target, file: str) -> Order:
        """The request as it stands; without a fixed seed it gets a new one. `hindrances` must be empty."""
        row = self.row
        if row is None:
            raise ValueError("nothing to make is chosen")
        if not self.seed_fixed:
            self.reroll()
        values = self.params()
        return Order(row.id, values, dict(inputs), self.seed, target, row.title, words(values),
                     hint(row.title, values, inputs), kind_of(row), file)  # fmt: skip

    def save(self) -> None:
        """Write down what differs from last time. Raises OSError."""
        kept = dict(self._params)
        for generator in self._values:
            kept[generator] = self._kept(generator)
        tree = {"version": 1, "kind": self.kind, "chosen": self._chosen, "targets": self._targets, "seed": self.seed,
                "seed_fixed": self.seed_fixed, "params": kept}  # fmt: skip
        if tree != self._saved:
            json_file.write(self._path, tree)
            self._saved = tree

    def _kept(self, generator: str) -> dict[str, Any]:
        rows, values = self._controls_of(generator), self._values[generator]
        whole = [row for row in rows if not fault(row, values.get(row.name, row.default))]
        return params(whole, values)

    def _controls_of(self, generator: str) -> tuple[Control, ...]:
        if generator not in self._controls:
            row = next((one for one in self._generators if one.id == generator), None)
            self._controls[generator] = controls(row.params) if row is not None else ()
        return self._controls[generator]

    def _load(self, tree: Any) -> None:
        if not isinstance(tree, dict) or tree.get("version") != 1:
            return
        self.kind, self.seed_fixed = str(tree.get("kind", "")), tree.get("seed_fixed") is True
        seed = tree.get("seed")
        self.seed = seed if isinstance(seed, int) and 0 <= seed <= SEED_MAX else 0
        for name in ("chosen", "targets", "params"):
            if isinstance(tree.get(name), dict):
                getattr(self, f"_{name}").update(tree[name])


def words(values: Mapping[str, Any]) -> str:
    """What was typed to describe it, in one short line; empty when nothing was."""
    for name in ("prompt", "text", "words"):
        text = values.get(name)
        if isinstance(text, str) and text.strip():
            short = " ".join(text.split())
            return short if len(short) <= LABEL_CHARACTERS else short[: LABEL_CHARACTERS - 1] + "…"
    return ""


def hint(title: str, values: Mapping[str, Any], inputs: Mapping[str, Source]) -> str:
    """What to call a request without words: the generator, with what it is made of or its sort."""
    source = next((one.title for one in inputs.values()), "")
    sort = next((str(values[name]) for name in ("kind", "family", "form", "stone") if values.get(name)), "")
    more = source or ("" if sort == "auto" else sort.replace("_", " "))
    return f"{title}: {more}" if more else title
