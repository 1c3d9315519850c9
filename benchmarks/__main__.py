"""`python -m benchmarks NAME [--json]`: run one bench, or `all`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator

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


def main() -> None:
    """Run the named benches and print their figures as they come."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", choices=[*BENCHES, "all"])
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    for name in BENCHES if options.name == "all" else (options.name,):
        figures: Iterator[Figure] = importlib.import_module(f"benchmarks.{name}").run()
        for figure in figures:
            show(figure, as_json=options.json)


if __name__ == "__main__":
    main()
