"""`python -m benchmarks NAME [--json]`: run one bench, or `all`; without a name, tell what there is."""

from __future__ import annotations

import argparse
import ast
import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Figure, show

BENCHES = (
    "bridge",
    "materials",
    "engines",
    "splat_formats",
    "radiance",
    "radiance_room",
    "splat_editing",
    "fields",
    "meshes",
    "growth",
    "poses",
    "live",
    "blender",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benches and print their figures as they come; 2 where none is named."""
    width = max(map(len, BENCHES))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure hot paths, each beside a limit or a peer in the same run: compare the ratios.",
        epilog="\n".join(["benches:", *(f"  {name:{width}}  {promise_of(name)}" for name in BENCHES)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=[*BENCHES, "all"], nargs="?", metavar="NAME", help="one of those below, or all")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    if options.name is None:
        parser.print_help(sys.stderr)
        return 2
    for name in BENCHES if options.name == "all" else (options.name,):
        figures: Iterator[Figure] = importlib.import_module(f"benchmarks.{name}").run()
        for figure in figures:
            show(figure, as_json=options.json)
    return 0


def promise_of(name: str) -> str:
    """What a bench measures, in its own first words; nothing of it is loaded."""
    source = Path(__file__).with_name(f"{name}.py").read_text("utf-8")
    first = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
    return first.split("; `")[0].removesuffix(".")


if __name__ == "__main__":
    sys.exit(main())
