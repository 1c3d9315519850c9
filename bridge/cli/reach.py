"""Which bridge a command speaks to: the one named, the one that runs, or a private one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.cli.console import err
from bridge.cli.private import PrivateBridge
from python_client import BridgeNotFound, Client, connect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--url` and `--token`, for a bridge that does not announce itself here."""
    parser.add_argument("--url", default="", help="bridge to use (default: the one that runs here)")
    parser.add_argument("--token", default="", help="its token, when it runs elsewhere")
    parser.add_argument("--fingerprint", default="", help="SHA-256 of its TLS certificate, to pin it")


def running(arguments: argparse.Namespace) -> Client:
    """A client of the named or running bridge. Raises the client's errors."""
    return connect(arguments.url, arguments.token, fingerprint=arguments.fingerprint, name="scenecast-cli")


@contextmanager
def running_or_private(arguments: argparse.Namespace, *, quiet: bool) -> Iterator[Client]:
    """A client of the named or running bridge, else of a private one over the user's own store."""
    try:
        client = running(arguments)
    except BridgeNotFound:
        if arguments.url:
            raise
        if not quiet:
            err().print("[dim]no bridge is running: starting a private one[/dim]")
        with PrivateBridge() as bridge, bridge.connect() as private:
            yield private
        return
    with client:
        yield client
