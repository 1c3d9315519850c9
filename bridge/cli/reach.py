"""Which bridge a command speaks to: the one named, the one that runs, or a private one."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bridge.cli.console import err
from bridge.cli.private import PrivateBridge, StoreBusy
from python_client import BridgeNotFound, Client, connect

FIRST_PAUSE_SECS = 0.5
LONGEST_PAUSE_SECS = 4.0
WAITING = "another scenecast command is at work; waiting for its end ([bold]scenecast serve[/bold] lets them share)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--url` and `--token`, for a bridge that does not announce itself here."""
    parser.add_argument("--url", default="", help="bridge to use (default: the one that runs here)")
    parser.add_argument("--token", default="", help="its token, when it runs elsewhere")
    parser.add_argument("--fingerprint", default="", help="SHA-256 of its TLS certificate, to pin it")


def running(arguments: argparse.Namespace) -> Client:
    """A client of the named or running bridge. Raises the client's errors."""
    return connect(arguments.url, arguments.token, fingerprint=arguments.fingerprint, name="scenecast-cli")


@contextmanager
def running_or_private(arguments: argparse.Namespace, *, quiet: bool, own_store: bool = True) -> Iterator[Client]:
    """A client of the named or running bridge, else of a private one.

    The private one works on the user's own store, and waits while another command does; without `own_store` it gets
    an empty one, and waits for nobody.
    """
    with ExitStack() as stack:
        try:
            client = stack.enter_context(running(arguments))
        except BridgeNotFound:
            if arguments.url:
                raise
            if own_store:
                bridge = _private(stack, quiet)
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="scenecast-"))
                bridge = stack.enter_context(PrivateBridge(Path(folder)))
            client = stack.enter_context(bridge.connect())
        yield client


def _private(stack: ExitStack, quiet: bool) -> PrivateBridge:
    """A private bridge on the user's store, as soon as no other command works on it; Ctrl-C ends the wait."""
    if not quiet:
        err().print("[dim]no bridge is running: starting a private one[/dim]")
    pause_secs = FIRST_PAUSE_SECS
    while True:
        try:
            return stack.enter_context(PrivateBridge())
        except StoreBusy:
            if pause_secs == FIRST_PAUSE_SECS:
                err().print(WAITING)
            time.sleep(pause_secs)
            pause_secs = min(2 * pause_secs, LONGEST_PAUSE_SECS)
