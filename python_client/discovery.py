"""How the bridge of this user is found: a private JSON file for each running bridge, read with suspicion.

The folder is `SCENECAST_RUNTIME_DIR`, or `scenecast` in the user's runtime directory of the platform. A file counts
only when it belongs to this user, is no link, can be read by nobody else, and its process lives.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from dataclasses import dataclass

from .decoding import Part, decode
from .errors import BadMessage, BridgeNotFound

RUNTIME_DIR_VARIABLE = "SCENECAST_RUNTIME_DIR"
_START = "Start the bridge with `scenecast serve`."


@dataclass(frozen=True)
class Discovered(Part):
    """What a bridge says of itself; `certificate_sha256` is set when it speaks TLS."""

    url: str
    pid: int
    token: str
    protocol: int
    server: str = ""
    proof_path: str = ""
    started: float = 0.0
    certificate_sha256: str = ""

    def disk_proof(self) -> str:
        """What the proof file says; empty when this program cannot read it, so that bytes are sent instead."""
        try:
            with open(self.proof_path, encoding="ascii") as file:
                return file.read(128).strip()
        except (OSError, UnicodeDecodeError):
            return ""


def runtime_dirs() -> list[str]:
    """The folders in which a bridge of this user may announce itself, the likeliest first."""
    override = os.environ.get(RUNTIME_DIR_VARIABLE)
    if override:
        return [override]
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
        return [os.path.join(local, "Temp", "scenecast", "scenecast")]
    if sys.platform == "darwin":
        caches = [os.path.expanduser("~/Library/Caches/TemporaryItems")]
    else:
        user = os.getuid()
        caches = [f"/run/user/{user}", os.path.join(tempfile.gettempdir(), f"runtime-{user}")]
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given):
        caches.insert(0, given)
    return [os.path.join(cache, "scenecast") for cache in caches]


def find() -> Discovered:
    """The newest running bridge of this user. Raises `BridgeNotFound`, saying what was seen and why it was refused."""
    found, refused = look()
    if found:
        return found[0]
    if refused:
        raise BridgeNotFound("no running bridge was found: " + "; ".join(refused), remedy=_START)
    raise BridgeNotFound(f"no bridge is running (looked in {', '.join(runtime_dirs())})", remedy=_START)


def look() -> tuple[list[Discovered], list[str]]:
    """All running bridges of this user, the newest first, and why other files were not believed."""
    found: list[Discovered] = []
    refused: list[str] = []
    for folder in runtime_dirs():
        try:
            names = sorted(os.listdir(folder))
        except OSError:  # most of the folders do not exist on any one machine
            continue
        for name in names:
            if name.startswith("bridge-") and name.endswith(".json"):
                path = os.path.join(folder, name)
                try:
                    found.append(_read(path))
                except (OSError, BadMessage, ValueError) as error:
                    refused.append(f"{path}: {error}")
    return sorted(found, key=lambda one: one.started, reverse=True), refused


def _read(path: str) -> Discovered:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if sys.platform != "win32":  # there the profile folder's access list keeps others out
            if status.st_uid != os.getuid():
                raise ValueError(f"belongs to user {status.st_uid}, not to you")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise ValueError(f"has mode {stat.S_IMODE(status.st_mode):03o}, others may read it")
        discovered = decode(Discovered, json.loads(file.read(1 << 16)))
    if not is_alive(discovered.pid):
        raise ValueError(f"its process {discovered.pid} has ended")
    return discovered


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs."""
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_alive_on_windows(pid: int) -> bool:
    """`os.kill` would end the process there; asking for its exit code does not (`GetExitCodeProcess`)."""
    import ctypes

    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return False
    code = ctypes.c_ulong()
    asked = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return bool(asked) and code.value == 259  # STILL_ACTIVE
