"""`scenecast gc`: remove results that are no longer needed, the least recently used first."""

from __future__ import annotations

import argparse
import asyncio
import shutil
from pathlib import Path

from bridge import settings
from bridge.cli.console import UsageError, out, parsed_size, print_json, size
from bridge.ledger import Ledger
from bridge.store import Collected, Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--down-to", metavar="SIZE", help="remove assets until so much is left, as 2GB")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")
    parser.add_argument("--data-dir", type=Path, help="where ledger and store live")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Collect; the bridge must not run. Raises `StoreInUse` when it does."""
    down_to = None if arguments.down_to is None else parsed_size(arguments.down_to)
    data = arguments.data_dir or settings.load().data_path
    if not (data / "store").is_dir():
        raise UsageError(f"there is no store in {data}", remedy="name the folder with --data-dir")
    store = Store(data / "store")
    before = store.used_bytes
    if arguments.dry_run:
        collected = asyncio.run(_collect_copy(store, data, down_to))
    else:
        store.claim()
        try:
            collected = asyncio.run(store.collect(keep=_kept(data), down_to_bytes=down_to))
        finally:
            store.release()
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, "assets": collected.assets, "files": collected.files,
                    "freed_bytes": collected.freed_bytes, "left_bytes": before - collected.freed_bytes})  # fmt: skip
        return 0
    verb = "would be removed" if arguments.dry_run else "removed"
    out().print(
        f"{collected.assets} assets and {collected.files} files {verb}, {size(collected.freed_bytes)}; "
        f"{size(before - collected.freed_bytes)} left in {data / 'store'}"
    )
    return 0


def _kept(data: Path) -> set[str]:
    """What jobs that are still to run need."""
    ledger = Ledger(data / "ledger.db")
    try:
        return {digest for record in ledger.unfinished() for digest in record.inputs.values()}
    finally:
        ledger.close()


async def _collect_copy(store: Store, data: Path, down_to: int | None) -> Collected:
    """Collect in a shadow of the store: the same names and sizes, linked, not copied."""
    shadow = data / "store" / "tmp" / "dry-run"
    shutil.rmtree(shadow, ignore_errors=True)
    try:
        for name in ("blobs", "assets"):
            shutil.copytree(store.root / name, shadow / name, copy_function=_linked)
        return await Store(shadow).collect(keep=_kept(data), down_to_bytes=down_to)
    finally:
        shutil.rmtree(shadow, ignore_errors=True)


def _linked(source: str, target: str) -> str:
    Path(target).hardlink_to(source)
    return target
