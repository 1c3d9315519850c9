"""`python -m bridge.codegen [--check]`: writes what is derived from `bridge/messages/`, or tells what is stale."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bridge import protocol_page, vectors

ROOT = Path(__file__).resolve().parents[1]


def _lines(rows: list[vectors.Vector]) -> str:
    """A JSON list with one vector a line, so that a change shows as a line."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows) + "\n]\n"


TARGETS: Mapping[str, Callable[[], str]] = {
    "docs/protocol.md": protocol_page.page,
    "tests/vectors/messages.json": lambda: _lines(vectors.messages()),
    "tests/vectors/unknown_fields.json": lambda: _lines(vectors.unknown_fields()),
    "tests/vectors/rejects.json": lambda: _lines(vectors.rejects()),
}
"""Every derived file, and what makes its text."""


def stale(root: Path = ROOT) -> list[str]:
    """The derived files that are not what the declarations would give now."""
    return [
        name
        for name, make in TARGETS.items()
        if not (root / name).is_file() or (root / name).read_text("utf-8") != make()
    ]


def write(root: Path = ROOT) -> list[str]:
    """Bring every derived file up to date; returns those that changed."""
    changed = stale(root)
    for name in changed:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TARGETS[name](), "utf-8", newline="\n")
    return changed


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 when `--check` finds a stale file."""
    parser = argparse.ArgumentParser(prog="python -m bridge.codegen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when something is stale")
    given = parser.parse_args(arguments)
    found = stale() if given.check else write()
    for name in found:
        print(f"{'stale' if given.check else 'written'}: {name}")
    return 1 if given.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
