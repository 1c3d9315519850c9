"""`python -m bridge`: run a bridge until it is asked to end; `--json` prints one line when it is ready."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from pathlib import Path

from bridge import logs, settings
from bridge.app import Bridge
from bridge.errors import ScenecastError
from bridge.preparing import Preparation

log = logging.getLogger("bridge")


async def serve(chosen: settings.Settings, *, as_json: bool = False) -> None:
    """Run until SIGTERM or SIGINT. Raises `ScenecastError` leaves when it cannot start."""
    async with Bridge(chosen) as bridge:
        with bridge.heeding_signals():  # before anybody is told that there is somebody to end
            await _serve(bridge, chosen, as_json)


async def _serve(bridge: Bridge, chosen: settings.Settings, as_json: bool) -> None:
    logs.configure(chosen.log_level, secrets=(bridge.token,))
    if as_json:
        ready = {"url": bridge.url, "pid": os.getpid(), "discovery": str(bridge.discovery_file)}
        print(json.dumps(ready), flush=True)
    else:
        print(f"Scenecast listens on {bridge.url}", flush=True)
    preparation = Preparation(chosen.data_path)
    if chosen.prepare:
        preparation.start()
    try:
        await bridge.serve_forever()
    finally:
        await preparation.stop()


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 after a graceful end, 2 when the settings or the store forbid the start."""
    parser = argparse.ArgumentParser(prog="python -m bridge", description="Run the Scenecast bridge.")
    parser.add_argument("--config", type=Path, help="settings file (TOML)")
    parser.add_argument("--data-dir", help="where ledger and store live")
    parser.add_argument("--port", type=int, help="0 takes a free port")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting")
    parser.add_argument("--json", action="store_true", help="print one JSON line when ready, or when it cannot be")
    given = parser.parse_args(arguments)
    logs.configure("info")
    try:
        overrides = {"data_dir": given.data_dir, "port": given.port, **settings.assignments(given.set)}
        asyncio.run(serve(settings.load(overrides, file=given.config), as_json=given.json))
    except ScenecastError as error:
        if given.json:
            refused = {"error": error.code, "message": error.message, "remedy": error.remedy}
            print(json.dumps(refused), flush=True)
        print(f"scenecast: {error.message}{f' ({error.remedy})' if error.remedy else ''}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
