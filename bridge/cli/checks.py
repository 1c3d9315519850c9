"""What `scenecast doctor` looks at; each check is a function that yields findings and raises nothing."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from bridge import settings
from bridge.cli.checks_devices import check_devices
from bridge.cli.checks_providers import check_providers
from bridge.cli.checks_running import check_bridge, check_hosts
from bridge.cli.console import size
from bridge.cli.finding import Finding
from bridge.errors import ScenecastError
from bridge.store import Store
from generators import catalog as catalogs

__all__ = ["Finding", "all_checks"]

PACKAGES = ("msgpack", "msgspec", "numpy", "platformdirs", "rich", "watchdog", "websockets", "torch", "pillow", "av",
            "trimesh", "openexr", "zstandard")  # fmt: skip
EXTRAS = (
    ("pxr", "usd", "writes USD"),
    ("diffusers", "diffusion", "runs diffusion models, such as Shap-E"),
)
OLDEST_PYTHON: tuple[int, int] = (3, 11)
LOW_DISK_BYTES = 2 * 10**9
VERIFY_SECS = 10.0
"""The store is read again for at most so long."""


@dataclass(frozen=True)
class _Place:
    path: Path
    quota_bytes: int


def all_checks(data_dir: Path | None) -> list[Callable[[], Iterator[Finding]]]:
    """The checks in the order in which they are shown."""
    return [
        check_python,
        check_packages,
        check_devices,
        check_extras,
        check_generators,
        check_providers,
        partial(check_settings_and_store, data_dir),
        check_bridge,
        check_hosts,
    ]


def check_generators() -> Iterator[Finding]:
    """Declarations of generators that do not count, and how many do."""
    catalog = catalogs.load()
    for name, reason in catalog.broken.items():
        remedy = "correct or uninstall the package that declares it; its generator needs an id of its own"
        yield Finding("problem", f"generator {name}", reason, remedy)
    yield Finding("ok", "generators", f"{len(catalog.specs)} are declared")


def check_python() -> Iterator[Finding]:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if tuple(sys.version_info[:2]) < OLDEST_PYTHON:
        yield Finding("problem", "Python", f"{version}, expected 3.11 or newer", "install a newer Python")
    else:
        yield Finding("ok", "Python", f"{version} on {sys.platform}, {os.cpu_count()} cores")


def check_packages() -> Iterator[Finding]:
    """What the project needs is installed, in versions it declares."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Finding("problem", "package", f"{name} is not installed", f"pip install {name}")
    yield Finding("ok", "packages", ", ".join(found))


def check_extras() -> Iterator[Finding]:
    """Optional packages: here, or how to get them."""
    for module, extra, use in EXTRAS:
        if importlib.util.find_spec(module):
            yield Finding("ok", f"extra {extra}", f"{module} is installed: {use}")
        else:
            remedy = f"pip install 'scenecast[{extra}]', if you want it"
            yield Finding("note", f"extra {extra}", f"{module} is not installed; it {use}", remedy)


def check_settings_and_store(data_dir: Path | None) -> Iterator[Finding]:
    """The settings can be read, the disk has room, and stored bytes still hash to their names."""
    try:
        chosen = settings.load({"data_dir": str(data_dir)} if data_dir else None)
    except ScenecastError as error:
        yield Finding("problem", "settings", error.message, error.remedy)
        return
    data = chosen.data_path
    yield Finding("ok", "settings", f"port {chosen.port}, address {chosen.address}, data in {data}")
    yield from _check_disk(data)
    if not (data / "store").is_dir():
        yield Finding("note", "store", "empty: nothing has been made yet")
        return
    try:
        store = Store(data / "store")
    except OSError as error:
        yield Finding("problem", "store", f"{data / 'store'} cannot be used: {error}", "check its owner and mode")
        return
    yield from _check_quota(store, _Place(data, chosen.store_quota_bytes))
    yield from _check_assets(store)


def _check_disk(data: Path) -> Iterator[Finding]:
    existing = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    state: Literal["ok", "warning"] = "ok" if free > LOW_DISK_BYTES else "warning"
    yield Finding(state, "disk", f"{size(free)} free", "" if state == "ok" else "free space, or run `scenecast gc`")


def _check_quota(store: Store, place: _Place) -> Iterator[Finding]:
    quota = place.quota_bytes
    if quota and store.used_bytes > 0.9 * quota:
        words = f"{size(store.used_bytes)} of the quota of {size(quota)} are used"
        yield Finding("warning", "quota", words, "run `scenecast gc --down-to SIZE`, or raise store_quota_bytes")
    else:
        limit = f"quota {size(quota)}" if quota else "no quota but the disk"
        words = f"{size(store.used_bytes)} used, {size(store.exports.used_bytes)} of files for hosts beside it, {limit}"
        yield Finding("ok", "quota", words)


def _check_assets(store: Store) -> Iterator[Finding]:
    digests, end, read = store.assets(), time.monotonic() + VERIFY_SECS, 0
    damaged = 0
    for digest in digests:
        if time.monotonic() > end:
            break
        read += 1
        try:
            asyncio.run(store.verify(digest))
        except ScenecastError as error:
            damaged += 1
            yield Finding("problem", "store", error.message, error.remedy or "make the asset again")
    if not damaged:
        some = "" if read == len(digests) else f" (the other {len(digests) - read} were not read: too many)"
        yield Finding("ok", "store", f"{read} assets read again, every byte as it was{some}")
