"""What a check of `scenecast doctor` has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line: a problem keeps something from working, a warning soon will, a note is only said."""

    state: Literal["ok", "note", "warning", "problem"]
    what: str
    words: str
    remedy: str = ""
