"""`scenecast serve`: the bridge in the foreground."""

from __future__ import annotations

import argparse

from bridge import __main__ as program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", help="settings file (TOML)")
    parser.add_argument("--data-dir", help="where ledger and store live")
    parser.add_argument("--port", type=int, help="0 takes a free port")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting")
    parser.add_argument("--json", action="store_true", help="print one JSON line when ready")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    given: list[str] = []
    for name in ("config", "data_dir", "port"):
        value = getattr(arguments, name)
        if value is not None:
            given += [f"--{name.replace('_', '-')}", str(value)]
    for text in arguments.set:
        given += ["--set", text]
    return program.main([*given, "--json"] if arguments.json else given)
