"""How clients on this machine find the bridge: one private JSON file per running bridge.

The folder is the user's runtime directory (mode 0700), the file `bridge-PID.json` (mode 0600, never through a link).
It is complete before its name appears and appears before the bridge says that it listens. A reader believes only
files that belong to it, that nobody else can read, and whose process lives.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
import warnings
from pathlib import Path

import msgspec
import platformdirs

from bridge.errors import ScenecastError
from bridge.settings import RUNTIME_DIR_VARIABLE

_PATTERN = "bridge-*.json"


class DiscoveryError(ScenecastError):
    """The runtime directory cannot be trusted."""

    code = "discovery"


class Discovered(msgspec.Struct, kw_only=True, frozen=True):
    """What the file says; unknown fields are skipped, new ones get defaults."""

    url: str
    """`ws://127.0.0.1:7263`, or `wss://` when TLS is on."""
    port: int
    pid: int
    token: str
    protocol: int
    server: str
    """Name and version."""
    store_root: str
    proof_path: str
    """A file whose content, given in the hello, proves that the client shares the disk."""
    started: float
    """Seconds since 1970."""
    certificate_sha256: str = ""
    """Fingerprint of the TLS certificate, as lower-case hexadecimal, for clients to pin."""


def runtime_dir() -> Path:
    """The folder of the discovery files; not made here."""
    override = os.environ.get(RUNTIME_DIR_VARIABLE)
    if override:
        return Path(override)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it warns, and takes a folder that is as good
        return platformdirs.user_runtime_path("scenecast")


def announce(discovered: Discovered, folder: Path | None = None) -> Path:
    """Write the file and return its path; removes those of dead bridges. Raises `DiscoveryError`."""
    folder = runtime_dir() if folder is None else folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(folder, os.lstat(folder), 0o700)
    remove_stale(folder)
    path = folder / f"bridge-{discovered.pid}.json"
    temporary = folder / f".{path.name}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(discovered)) + b"\n")
    temporary.replace(path)
    return path


def withdraw(path: Path) -> None:
    """Remove the file that `announce` wrote; it may be gone already."""
    path.unlink(missing_ok=True)


def find(folder: Path | None = None) -> list[Discovered]:
    """The running bridges of this user, the newest first; files that cannot be trusted are left out."""
    folder = runtime_dir() if folder is None else folder
    found = []
    for path in folder.glob(_PATTERN) if folder.is_dir() else ():
        with contextlib.suppress(OSError, DiscoveryError, msgspec.MsgspecError):
            discovered = read(path)
            if is_alive(discovered.pid):
                found.append(discovered)
    return sorted(found, key=lambda one: one.started, reverse=True)


def read(path: Path) -> Discovered:
    """The content of one file. Raises `DiscoveryError`, `OSError`, `msgspec.MsgspecError`."""
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        _check_private(path, os.fstat(file.fileno()), 0o600)
        return msgspec.json.decode(file.read(1 << 16), type=Discovered)


def remove_stale(folder: Path) -> None:
    """Remove the files of bridges that no longer run, and what they left half written."""
    for path in folder.glob(_PATTERN):
        pid = path.stem.removeprefix("bridge-")
        if pid.isdigit() and not is_alive(int(pid)):
            path.unlink(missing_ok=True)
    for path in folder.glob(f".{_PATTERN}.*"):
        if time.time() - path.lstat().st_mtime > 60:
            path.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs."""
    if os.name == "nt":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_alive_on_windows(pid: int) -> bool:
    """`os.kill` would end the process there; asking for a handle does not (`OpenProcess`, SYNCHRONIZE)."""
    import ctypes

    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x00100000, False, pid)
    if not handle:
        return False
    kernel.CloseHandle(handle)
    return True


def _check_private(path: Path, status: os.stat_result, allowed: int) -> None:
    if os.name == "nt":  # the user's own profile folder is private by its access list
        return
    if stat.S_ISLNK(status.st_mode):
        raise DiscoveryError(f"{path} is a link", remedy="remove it, or set SCENECAST_RUNTIME_DIR")
    if status.st_uid != os.getuid():
        raise DiscoveryError(f"{path} belongs to user {status.st_uid}", remedy="set SCENECAST_RUNTIME_DIR")
    if stat.S_IMODE(status.st_mode) & ~allowed:
        mode = stat.S_IMODE(status.st_mode)
        raise DiscoveryError(f"{path} has mode {mode:03o}, others may read it", remedy=f"chmod {allowed:03o} {path}")
