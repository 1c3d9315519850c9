# SPDX-License-Identifier: GPL-3.0-or-later
"""The one session of this Blender: made when the add-on is enabled, ended when it is disabled."""

from __future__ import annotations

import errno
import ipaddress
import tempfile
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bpy

from ..capture import Around
from ..core.client_core import Client
from ..core.form import Form
from ..core.growth import Growing
from ..core.history import History
from ..core.hub import Hub
from ..core.panel_model import ConnectionRow, connection_row
from ..core.presets import Presets
from ..core.runs import Run
from ..core.slots import Slot

PACKAGE = __package__.rpartition(".")[0]
VERSION = "0.1.0"
UNSAVED = "unsaved-"
"""How the identities of files that have no name yet begin."""


class Session:
    """The hub with the form, the presets and the identity of the open file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slot = Slot(folder)
        self.history = History(folder / "history.json")
        self.presets = Presets(folder / "presets")
        self.form = Form(folder / "form.json")
        self.live_form = Form(folder / "live.json")
        self.live: Any = None
        """The live preview that runs, a `live_preview.LivePreview`."""
        self.live_closing: list[Any] = []
        """Those that were asked to end, until the bridge says that nothing of them runs."""
        self.live_fault = ""
        """Why the last one ended by itself."""
        self.hub = Hub(self.slot, make_client, self.history)
        self.taking: dict[str, dict[str, Around]] = {}
        """By run and port, what is being taken out of the scene picture by picture."""
        self.growing = Growing()
        self._file = ""
        self.loading = False
        """True while Blender opens another file."""
        self.defect = ""
        """A fault of the add-on itself, with its traceback on the console."""
        self.unkept = ""
        """Why nothing of it outlives this Blender; empty when it does."""

    @property
    def file(self) -> str:
        """The open .blend: its path, or a name of our own until it has one.

        Found out when first asked for: while add-ons are enabled Blender hides its data.
        """
        self._file = self._file or file_identity()
        return self._file

    @file.setter
    def file(self, identity: str) -> None:
        self._file = identity

    def close(self) -> None:
        """Keep everything and hang up."""
        self.form.save()
        self.live_form.save()
        self.hub.close()


_current: Session | None = None


def start() -> None:
    """Open the session; the connection follows by itself."""
    global _current
    try:
        _current = Session(_own_folder())
    except OSError as error:  # a folder that may not be written keeps nobody from working
        _current = Session(Path(tempfile.mkdtemp(prefix="scenecast-")))
        _current.unkept = f"What you make and type is not kept beyond this Blender: {error.strerror} ({error.filename})"


def _own_folder() -> Path:
    """The folder that Blender keeps for this add-on. Raises OSError where it cannot be made."""
    known = bpy.utils.extension_path_user(PACKAGE, path="", create=True)
    if not known:  # Blender swallows why
        where = Path(bpy.utils.user_resource("EXTENSIONS")) / ".user"
        raise OSError(errno.EACCES, "its folder cannot be written", str(where))
    return Path(known)


def stop() -> None:
    """Close it; running jobs go on in the bridge."""
    global _current
    if _current is not None:
        _current.close()
    _current = None


def current() -> Session:
    """The session. Raises RuntimeError when the add-on is not enabled."""
    if _current is None:
        raise RuntimeError("Scenecast is not enabled")
    return _current


def maybe() -> Session | None:
    """The session, or None before it is open and after it is closed."""
    return _current


def settings() -> Any:
    """The add-on's preferences."""
    return bpy.context.preferences.addons[PACKAGE].preferences


def make_client(bookmark: Any) -> Client:
    """A client that looks for the bridge on this computer, or goes to the address in the preferences."""
    chosen = settings()
    return Client(
        chosen.url.strip(),
        chosen.token.strip(),
        fingerprint=chosen.fingerprint.strip(),
        name=f"scenecast-blender {VERSION}",
        host="blender",
        host_version=bpy.app.version_string,
        bookmark=bookmark,
        share_disk=chosen.share_disk,
    )


def blocked() -> str:
    """Why Blender itself forbids the connection, as a sentence; empty when it does not."""
    url = settings().url.strip()
    if not url or bpy.app.online_access or _is_loopback(urlsplit(url).hostname or ""):
        return ""
    return "Blender may not go online: allow it in Preferences, System, Network"


def connection() -> ConnectionRow:
    """The connection as the panel shows it."""
    one = current()
    if one.defect:
        return ConnectionRow("bad", "Scenecast has a defect", one.defect, "See the console, then reconnect.", True)
    forbidden = blocked()
    if forbidden:
        return ConnectionRow("bad", "Offline", forbidden)
    welcome = one.hub.client.protocol.welcome
    trouble = one.unkept or one.hub.trouble or one.history.trouble
    return connection_row(one.hub.state, server=welcome.server if welcome else "", trouble=trouble)


def file_identity() -> str:
    """The path of the open .blend, or for one never saved a new name of our own."""
    return bpy.data.filepath or f"{UNSAVED}{uuid.uuid4().hex}"


def other_file(run: Run) -> str:
    """What to call the file a run was asked for in; empty when that is the open one."""
    asked = run.order.file
    if asked == current().file:
        return ""
    return "a file that was never saved" if asked.startswith(UNSAVED) else Path(asked).name or "another file"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
