"""`scenecast token`: how a client on another machine or in a browser is let in."""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

import platformdirs

from bridge import discovery, settings
from bridge.cli.console import UsageError, err, out, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--rotate", action="store_true", help="write a new fixed token into the settings file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the newest running bridge's address and token, or make a new token for its next start."""
    if arguments.rotate:
        return _rotate(arguments.json)
    found = discovery.find()
    if not found:
        raise UsageError("no bridge is running", remedy="start it with `scenecast serve`")
    row = found[0]
    if arguments.json:
        print_json({"url": row.url, "token": row.token, "certificate_sha256": row.certificate_sha256, "pid": row.pid})
    else:
        console = out()
        console.print(f"url    {row.url}\ntoken  {row.token}")
        if row.certificate_sha256:
            console.print(f"pin    {row.certificate_sha256}")
    return 0


def _rotate(as_json: bool) -> int:
    """Replace the `token` line of the settings file, which is made private; the rest stays as it is."""
    named = os.environ.get(settings.CONFIG_VARIABLE)
    path = Path(named) if named else platformdirs.user_config_path("scenecast") / "scenecast.toml"
    token = secrets.token_urlsafe(32)
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if line.partition("=")[0].strip() != "token"]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join([f'token = "{token}"', *kept]) + "\n")
    os.chmod(part, 0o600)
    part.replace(path)
    if as_json:
        print_json({"token": token, "settings": str(path)})
    else:
        out().print(token)
        err().print(f"[dim]written to {path}; a running bridge takes it at its next start[/dim]")
    return 0
