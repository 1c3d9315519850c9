"""What a scripted bridge is told to do: steps, and the script that gives back its parameters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable, Union

from .testing_growth import Grows


@dataclass(frozen=True)
class Made:
    """A step: one produced asset with its files by name; each file's role is its name without extension."""

    kind: str
    files: Mapping[str, bytes]
    name: str = "result"


@dataclass(frozen=True)
class Says:
    """A step: any message by its type and fields; `payload` follows a preview."""

    type: str
    fields: Mapping[str, Any]
    payload: bytes = b""


class Hold:
    """A step: stay running until `FakeBridge.release` or a cancel."""


Step = Union[Made, Says, Hold, Grows]
Script = Callable[[Mapping[str, Any]], Iterable[Step]]

GENERATOR: dict[str, Any] = {
    "id": "test.echo",
    "title": "Echo",
    "promise": "Gives back its parameters as a text file.",
    "gives": ["image"],
    "params": {"type": "object", "properties": {"text": {"type": "string", "default": ""}}},
}


def echo(message: Mapping[str, Any]) -> Iterator[Step]:
    """The default script: some progress, a note, a preview, and the parameters as a file."""
    yield Says("job.progress", {"fraction": 0.5, "stage": "writing"})
    yield Says("job.noted", {"text": "an echo"})
    yield Says("job.preview", {"width_px": 1, "height_px": 1, "media_type": "image/raw"}, b"\xff\x00\x00")
    yield Made("image", {"echo.json": json.dumps(message["params"]).encode()})
