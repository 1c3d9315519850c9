"""`python -m bridge.cli`: the same as `scenecast`."""

import sys

from bridge.cli import main

sys.exit(main())
