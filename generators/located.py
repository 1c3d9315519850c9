"""Files and folders that only the artist can provide, named in the settings; importing this loads nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

PREFIX = "SCENECAST_"


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """Something on this machine's disk that a generator cannot run without."""

    setting: str
    """Name of the setting that holds its path; also the variable SCENECAST_<SETTING> of every worker."""
    what: str
    """What it is, with size and licence where it is weights; completes "it needs …"."""
    cached: str = ""
    """Where models are kept by the Hugging Face tools, the repository under which it may lie already."""


def found(need: Located, environment: Mapping[str, str] | None = None) -> Path | None:
    """The path if it is set and exists, else the newest snapshot in the local model cache, else None."""
    environment = os.environ if environment is None else environment
    named = environment.get(PREFIX + need.setting.upper(), "")
    if named:
        path = Path(named).expanduser()
        return path if path.exists() else None
    return _in_cache(need.cached, environment) if need.cached else None


def missing(need: Located, environment: Mapping[str, str] | None = None) -> str:
    """Why it is not there, as a sentence; empty when it is."""
    if found(need, environment) is not None:
        return ""
    named = (os.environ if environment is None else environment).get(PREFIX + need.setting.upper(), "")
    if named:
        return f"it needs {need.what}; the setting {need.setting} names {named}, which does not exist"
    return f"it needs {need.what}; name it in the setting {need.setting}"


def _in_cache(repository: str, environment: Mapping[str, str]) -> Path | None:
    home = environment.get("HF_HOME") or str(Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    hub = Path(environment.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    snapshots = hub / f"models--{repository.replace('/', '--')}" / "snapshots"
    complete = [path for path in snapshots.glob("*") if (path / "model_index.json").exists()]
    return max(complete, key=lambda path: (path.stat().st_mtime, path.name), default=None)
