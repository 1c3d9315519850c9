"""Zips of a few tiny photographs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from engines.assets import Capture


def photograph(colour: tuple[int, int, int], width: int = 12, height: int = 8) -> bytes:
    """A PNG of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


PHOTOGRAPHS: Mapping[str, bytes] = {
    "transforms.json": b'{"frames": []}',
    "images/a.png": photograph((200, 40, 40)),
    "images/b.png": photograph((40, 200, 40)),
    "images/c.png": photograph((40, 40, 200)),
}


def capture(path: Path, files: Mapping[str, bytes]) -> Capture:
    """The files packed, nothing compressed."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return Capture(path, path.stem)
