"""`python -m tests.campaigns.fake_bridge FOLDER`: the real bridge on a free port, with fake generators.

Prints one JSON line (url, token, pid) when it is ready, and stops on SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path

from bridge.app import Bridge
from bridge.settings import Settings
from generators.catalog import Catalog
from tests import fakes


async def main(folder: Path) -> None:
    settings = Settings(data_dir=str(folder), port=0, grace_secs=0.2)
    catalog = Catalog.from_specs(*fakes.SPECS)
    async with Bridge(settings, catalog=catalog, workers=fakes.quick_workers(), announce=False) as bridge:
        print(json.dumps({"url": bridge.url, "token": bridge.token, "pid": os.getpid()}), flush=True)
        await bridge.serve_forever()


if __name__ == "__main__":
    logging.basicConfig(filename=str(Path(sys.argv[1]) / "bridge.log"), level=logging.WARNING)
    asyncio.run(main(Path(sys.argv[1])))
