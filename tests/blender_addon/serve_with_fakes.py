"""Serves the installed generators and the scripted fakes until it is ended: `python serve_with_fakes.py DATA_DIR`.

Further arguments are settings as NAME=VALUE.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from bridge import settings
from bridge.app import Bridge
from generators import catalog
from tests import fakes
from tests.blender_addon import fake_generators


async def serve(data_dir: str, given: list[str]) -> None:
    installed = catalog.load()
    both = catalog.Catalog.from_specs(*installed.specs.values(), *fakes.SPECS, *fake_generators.SPECS)
    chosen = settings.load({"data_dir": data_dir, "port": 0, "grace_secs": 0.5, **settings.assignments(given)})
    async with Bridge(chosen, catalog=both, workers=fakes.quick_workers()) as bridge:
        print(json.dumps({"url": bridge.url, "pid": os.getpid()}), flush=True)
        await bridge.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2:]))
