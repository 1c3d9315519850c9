"""How the command line speaks: results to stdout, all else to stderr, JSON for programs, rich for people."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from bridge.errors import ScenecastError

if TYPE_CHECKING:
    from rich.console import Console


class UsageError(ScenecastError):
    """The command line asks for something that cannot be meant."""

    code = "usage"


def out() -> Console:
    """The console of results."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """The console of progress and complaints."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def complain(message: str, remedy: str = "", *, path: str = "") -> None:
    """One error: what is wrong, where in the request, and what to do."""
    from rich.markup import escape

    where = f" [dim]({escape(path)})[/dim]" if path else ""
    console = err()
    console.print(f"[bold red]error:[/bold red] {escape(message)}{where}")
    if remedy:
        console.print(f"  [yellow]→[/yellow] {escape(remedy)}")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def size(size_bytes: float) -> str:
    """A size as people read it, in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 100 else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def parsed_size(text: str) -> int:
    """Bytes of `2GB`, `500 MB`, `1GiB` or a plain number. Raises `UsageError`."""
    units = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
    units |= {"k": 10**3, "m": 10**6, "g": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
    stripped = text.strip().lower()
    number = stripped.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = stripped[len(number) :].strip()
    try:
        value = float(number) * units[unit]
    except (ValueError, KeyError):
        raise UsageError(f"{text!r} is no size", remedy="write it as 2GB, 500MB or 1GiB") from None
    if not 0 <= value < 2**63:
        raise UsageError(f"{text!r} is no size", remedy="write it as 2GB, 500MB or 1GiB")
    return int(value)
