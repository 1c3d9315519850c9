"""`scenecast generators`: the catalog, or one generator with its parameters, units and bounds."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from bridge.cli import asked, reach, values
from bridge.cli.console import out, print_json
from python_client.messages import Generator

TABLE_COLUMNS = 120
"""On a narrower terminal a table's last column would be too thin to read: each generator has two lines there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("id", nargs="?", default="", help="show this one with its parameters")
    parser.add_argument("--json", action="store_true", help="print JSON")
    reach.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what there is."""
    with reach.running_or_private(arguments, quiet=True, own_store=False) as client:
        rows = [asked.generator(client, arguments.id)] if arguments.id else client.generators
    if arguments.json:
        print_json([dataclasses.asdict(row) for row in rows])
    elif arguments.id:
        _one(rows[0])
    else:
        _all(rows)
    return 0


def _all(rows: list[Generator]) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = out()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("id", "takes", "gives", ""):
        table.add_column(column, no_wrap=column == "id")
    for row in rows:
        takes = ", ".join([f"{port.name}{'?' if port.optional else ''}" for port in row.takes] + _channels(row))
        gives = ", ".join([*row.gives, *(["live"] if row.live else [])])
        words = escape(row.promise) if row.available else f"[yellow]not here: {escape(row.reason)}[/yellow]"
        if console.width < TABLE_COLUMNS:
            way = f"{escape(takes)} → {gives}" if takes else f"→ {gives}"
            console.print(f"[bold]{escape(row.id)}[/bold]  [dim]{way}[/dim]\n    {words}")
        table.add_row(f"[bold]{escape(row.id)}[/bold]", escape(takes), gives, words)
    if console.width >= TABLE_COLUMNS:
        console.print(table)
    console.print("\n[dim]scenecast generators ID shows one with its parameters[/dim]")


def _one(row: Generator) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = out()
    console.print(f"[bold]{escape(row.id)}[/bold]  {escape(row.title)}\n{escape(row.promise)}")
    if not row.available:
        console.print(f"[yellow]not available here: {escape(row.reason)}[/yellow]")
    for port in row.takes:
        need = "optional" if port.optional else "needed"
        console.print(
            f"input [bold]{escape(port.name)}[/bold] ({need}): {' or '.join(port.kinds)}. {escape(port.help)}"
        )
    if row.live:
        console.print(f"live: takes {escape(', '.join(_channels(row)))} with every frame, gives a picture back")
    console.print(f"gives {', '.join(row.gives)}\n" if row.gives else "")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("parameter", "type", "default", "bounds", "unit", ""):
        table.add_column(column, no_wrap=column == "parameter")
    for name, schema in row.params.get("properties", {}).items():
        cells = [escape(cell) for cell in _cells(name, schema)]
        table.add_row(*cells)
        if console.width < TABLE_COLUMNS:
            name, kind, default, bounds, unit, words = cells
            limits = " ".join(part for part in (bounds, unit) if part)
            value = f" = {default}" if default else ""
            console.print(f"[bold]{name}[/bold]{value}  [dim]{kind}{f', {limits}' if limits else ''}[/dim]")
            console.print(f"    {words}" if words else "", end="\n" if words else "")
    if console.width >= TABLE_COLUMNS:
        console.print(table)
    if row.jobs:
        console.print(f"\n[dim]scenecast run {escape(row.id)}{_example(row)} --out FOLDER[/dim]")


def _example(row: Generator) -> str:
    """The inputs and the first parameter as they are written on a command line."""
    files = "".join(f" -i {port.name}=FILE" for port in row.takes if not port.optional)
    first = next(iter(row.params.get("properties", {})), "")
    return files + (f" -p {first}=…" if first else "")


def _channels(row: Generator) -> list[str]:
    """What a live generator is sent with every frame."""
    return [*row.live.wants, *(f"{name}?" for name in row.live.optional)] if row.live else []


def _cells(name: str, schema: dict[str, Any]) -> tuple[str, ...]:
    kinds = values.types_of(schema)
    kind = " or ".join(sorted(kinds - {"null"})) + ("?" if "null" in kinds else "")
    default = schema.get("default")
    shown = (
        "" if default is None or default == "" else str(default).lower() if isinstance(default, bool) else str(default)
    )
    bounds = values.bounds_of(schema)
    return name, kind, shown, bounds, values.hint(schema, "unit"), values.hint(schema, "description")
