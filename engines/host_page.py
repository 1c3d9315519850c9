"""The host rows as a page for people: `python -m engines.host_page [--check]` writes or checks docs/conventions.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engines.conventions import Host
from engines.hosts import HOSTS
from engines.transforms import Matrix, host_from_neutral

PAGE = Path(__file__).resolve().parents[1] / "docs" / "conventions.md"

_HEAD = """# Conventions

What an asset is in its neutral form, and what each host makes of it. Made from the host rows by
`python -m engines.host_page`; do not edit.

**Neutral.** Right-handed, +X right, +Y up, +Z towards the viewer; metres; counter-clockwise front faces; UV origin at
the bottom left; linear light unless a map says sRGB; straight alpha; normal maps with green up; seconds. Splats hold
linear values: opacity 0..1, scale as standard deviation in metres, unit quaternions wxyz, spherical harmonics in the
order and signs of the 3DGS paper's code. Directions below are named as the person looking at a thing's front sees them.

Formats that describe themselves (GLB, USD) keep their own convention in every host, because every importer converts;
axes, unit and winding are applied to those that say nothing (PLY, scene plans). SPZ is right-up-back by its definition;
compressed PLY, SOG, .splat and KSPLAT are right-down-forward in every host, because their readers take them so;
OBJ is +Y up in metres, as importers take it; STL and 3MF are in millimetres with Z up, as slicers do.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([_HEAD, *_overview(), *(line for host in HOSTS.values() for line in _section(host))])


def _overview() -> Iterator[str]:
    yield "| host | +X | +Y | +Z | handed | unit | front | normal map | UV origin |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for host in HOSTS.values():
        green = "green up" if host.normal_y == 1 else "green down"
        origin = host.uv_origin.replace("_", " ")
        axes = f"{host.axes.x} | {host.axes.y} | {host.axes.z}"
        yield f"| {host.name} | {axes} | {host.handed} | {host.unit_m:g} m | {host.front} | {green} | {origin} |"
    yield ""
    yield "In numbers: what the host calls a neutral point (x, y, z) in metres, and a neutral rotation (w, x, y, z).\n"
    yield "| host | point | rotation |\n|---|---|---|"
    for host in HOSTS.values():
        matrix = host_from_neutral(host)
        point, axis = _components(matrix), _components(matrix * np.linalg.det(matrix))
        scale = "" if host.unit_m == 1 else f"{1 / host.unit_m:g} · "
        yield f"| {host.name} | {scale}({point}) | (w, {axis}) |"
    yield ""


def _components(signed_permutation: Matrix) -> str:
    """The rows as a reader writes them by hand: `x, -z, y`."""
    names = [("-" if row.sum() < 0 else "") + "xyz"[int(np.argmax(np.abs(row)))] for row in signed_permutation]
    return ", ".join(names)


def _section(host: Host) -> Iterator[str]:
    yield f"## {host.title}\n"
    yield "| kind | formats, the preferred one first |\n|---|---|"
    for kind, formats in host.formats.items():
        yield f"| {kind} | {', '.join(formats)} |"
    yield f"\nMaps of their own: {', '.join(host.plain_maps)}."
    for packed in host.packed:
        channels = ", ".join(f"{channel} {name}" for channel, name in packed.channels.items())
        yield f"Packed `{packed.name}`: {channels}."
    yield ""
    yield from (f"- {quirk}" for quirk in host.quirks)
    yield ""


def main() -> None:
    """Write the page, or with `--check` say whether it is current (exit code 1 when not)."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8", newline="\n")
    elif PAGE.read_text("utf-8") != page():
        sys.exit("docs/conventions.md is not current; run `python -m engines.host_page`")


if __name__ == "__main__":
    main()
