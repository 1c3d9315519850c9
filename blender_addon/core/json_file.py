# SPDX-License-Identifier: GPL-3.0-or-later
"""Small JSON files of the user: read with suspicion, replaced in one step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def read(path: Path) -> Any:
    """What the file holds; None when there is none. A file that is no JSON is put aside as `NAME.broken`."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    try:
        return json.loads(text)
    except ValueError:
        os.replace(path, path.with_name(f"{path.name}.broken"))
        print(f"Scenecast: {path} could not be read and was put aside")
        return None


def write(path: Path, tree: Any) -> None:
    """Replace the file, readable by its owner alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(tree, file, ensure_ascii=False)
    os.replace(part, path)
