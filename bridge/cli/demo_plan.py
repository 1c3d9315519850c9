"""What the demo makes: one thing of every kind first, then more materials; and why something is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from python_client.messages import Generator, Port

MATERIALS = (
    "wet mossy red bricks",
    "rusty blue painted metal, scratched",
    "polished white marble",
    "cracked dry mud",
    "oak planks, worn",
    "sci-fi panels",
    "cobblestone with leaves",
)
KNOWN: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "material.procedural": tuple((prompt, {"prompt": prompt, "size_px": 512}) for prompt in MATERIALS),
    "mesh.rock": (("mossy granite boulder", {"stone": "mossy", "moss": 0.4, "triangles": 20_000}),),
    "mesh.terrain": (("eroded mountains", {"grid": 192}),),
    "clip.loop": (("caustics, looping", {"kind": "caustics", "size_px": 256, "frames": 32}),),
    "image.noise": (("cell noise", {"kind": "cells", "frequency": 8}),),
    "sound.effect": (("steps on gravel", {"prompt": "steps on gravel"}),),
    "splats.from_mesh": (("the boulder as splats", {"count": 60_000}),),
    "material.from_exemplar": (("the bricks, grown larger", {"size_px": 512}),),
}
"""Good values for the generators that are shown; another runs with its defaults where nothing else makes its kind."""

PHOTOGRAPHS = "capture"
"""A port that takes these is the user's: no film or picture of the demo stands in for photographs of a real place."""

QUICK_FIRST = ("image.noise", "sound.effect", "mesh.rock", "material.procedural", "splats.from_mesh", "clip.loop")
"""On a slow machine every kind should have been made before the time is up."""

RICHEST = ("scene", "mesh", "material", "clip", "image")
"""Where an input may be of several kinds, the first of these is taken."""


@dataclass(frozen=True)
class Wish:
    """One thing to make; `inputs` names, for each port, the kind of the earlier result it takes."""

    generator: str
    title: str
    params: dict[str, Any]
    gives: str
    inputs: dict[str, str] = field(default_factory=dict)


def plan(rows: Sequence[Generator]) -> tuple[list[Wish], list[tuple[str, str]]]:
    """The wishes in the order of their importance, and (generator, reason) for kinds that cannot be made here."""
    rows = [row for row in rows if row.jobs]  # what only works live makes nothing
    shown = {kind for row in rows if row.id in KNOWN and row.available for kind in row.gives}
    rows = [row for row in rows if row.id in KNOWN or not shown & set(row.gives)]
    skipped = [(row.id, row.reason or "not available on this machine") for row in rows if not row.available]
    first: list[Wish] = []
    more: list[Wish] = []
    waiting = [row for row in rows if row.available]
    kinds: set[str] = set()
    while waiting:
        ready = [row for row in waiting if all(port.optional or _there(port, kinds) for port in row.takes)]
        if not ready:
            break
        made = set(kinds)
        for row in ready:
            if row.id in KNOWN or not kinds & set(row.gives):
                wishes = _wishes(row, made)
                first += wishes[:1]
                more += wishes[1:]
                kinds |= set(row.gives)
        waiting = [row for row in waiting if row not in ready]
    waiting = [row for row in waiting if row.id in KNOWN or not kinds & set(row.gives)]
    for row in waiting:
        needs = " and ".join(f"{port.name} ({' or '.join(port.kinds)})" for port in row.takes if not port.optional)
        skipped.append((row.id, f"needs a file of yours: {needs}"))
    first.sort(
        key=lambda wish: QUICK_FIRST.index(wish.generator) if wish.generator in QUICK_FIRST else len(QUICK_FIRST)
    )
    return first + more, skipped


def _there(port: Port, made: set[str]) -> bool:
    """Whether something that was made fits the port."""
    return PHOTOGRAPHS not in port.kinds and bool(made & set(port.kinds))


def _best(kinds: Sequence[str], made: set[str]) -> str:
    """The richest kind that fits a port, of those that will have been made."""
    return min(made.intersection(kinds), key=lambda kind: RICHEST.index(kind) if kind in RICHEST else len(RICHEST))


def _wishes(row: Generator, made: set[str]) -> list[Wish]:
    known = row.params.get("properties", {})
    inputs = {port.name: _best(port.kinds, made) for port in row.takes if not port.optional}
    return [
        Wish(row.id, title, {name: value for name, value in params.items() if name in known}, row.gives[0], inputs)
        for title, params in KNOWN.get(row.id, ((row.title.lower(), {}),))
    ]
