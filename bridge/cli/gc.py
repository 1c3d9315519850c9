"""`scenecast gc`: remove results that are no longer needed, the least recently used first."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path

from bridge import settings
from bridge.cli import reach
from bridge.cli.console import UsageError, out, parsed_size, print_json, size
from bridge.ledger import Ledger
from bridge.store import Store
from python_client import BridgeNotFound


@dataclass(frozen=True)
class Room:
    """What was removed, or would be, and what is left."""

    assets: int
    files: int
    freed_bytes: int
    left_bytes: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--down-to", metavar="SIZE", help="remove assets until so much is left, as 2GB")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")
    parser.add_argument("--data-dir", type=Path, help="where ledger and store of a bridge that does not run live")
    parser.add_argument("--json", action="store_true", help="print JSON")
    reach.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Have the running bridge collect, or do it here when none runs. Raises `StoreInUse`, the client's errors."""
    down_to = None if arguments.down_to is None else parsed_size(arguments.down_to)
    room = None if arguments.data_dir else _by_the_bridge(arguments, down_to)
    if room is None:
        room = _here(arguments.data_dir or settings.load().data_path, down_to, dry_run=arguments.dry_run)
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, **asdict(room)})
        return 0
    verb = "would be removed" if arguments.dry_run else "removed"
    out().print(
        f"{room.assets} assets and {room.files} files {verb}, {size(room.freed_bytes)}; {size(room.left_bytes)} left"
    )
    return 0


def _by_the_bridge(arguments: argparse.Namespace, down_to: int | None) -> Room | None:
    """What the running bridge did; None when there is none."""
    try:
        client = reach.running(arguments)
    except BridgeNotFound:
        if arguments.url:
            raise
        return None
    with client:
        done = client.collect(down_to_bytes=down_to, dry_run=arguments.dry_run)
    return Room(done.assets, done.files, done.freed_bytes, done.left_bytes)


def _here(data: Path, down_to: int | None, *, dry_run: bool) -> Room:
    if not (data / "store").is_dir():
        raise UsageError(f"there is no store in {data}", remedy="name the folder with --data-dir")
    store = Store(data / "store")
    store.claim()
    try:
        done = asyncio.run(store.collect(keep=_kept(data), down_to_bytes=down_to, dry_run=dry_run))
    finally:
        store.release()
    return Room(done.assets, done.files, done.freed_bytes, done.left_bytes)


def _kept(data: Path) -> set[str]:
    """What jobs that are still to run need."""
    ledger = Ledger(data / "ledger.db")
    try:
        return {digest for record in ledger.unfinished() for digest in record.inputs.values()}
    finally:
        ledger.close()
