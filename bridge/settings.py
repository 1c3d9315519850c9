"""What a person can set: one declaration, filled from a TOML file, then `SCENECAST_*` variables, then the caller."""

from __future__ import annotations

import ipaddress
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
import platformdirs
from msgspec import Meta

from bridge.errors import ScenecastError

ENVIRONMENT_PREFIX = "SCENECAST_"
RUNTIME_DIR_VARIABLE = "SCENECAST_RUNTIME_DIR"
"""Where the discovery file goes, for tests and odd systems; not a setting, as clients must know it too."""
CONFIG_VARIABLE = "SCENECAST_CONFIG"


LOCATED = ("nerfstudio_python", "shap_e_folder", "text_to_image_folder")
"""Settings that are paths for generators (`generators.located`)."""


class SettingsError(ScenecastError):
    """A setting is unknown, of the wrong type, out of bounds, or contradicts another."""

    code = "settings"


class WatchedFolder(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A folder whose files are offered as inputs."""

    path: str
    title: Annotated[str, Meta(max_length=256)] = ""
    """Shown in panels; the folder's own name when empty."""


class Settings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """All settings with their defaults; sizes in bytes, times in seconds."""

    data_dir: str = ""
    """Where ledger and store live; the user's data directory when empty."""
    address: Annotated[str, Meta(min_length=1, max_length=255)] = "127.0.0.1"
    """Address to listen on. Beyond loopback `allow_remote` and TLS are required."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 7263
    """Port to listen on; 0 takes a free one, which clients find in the discovery file."""
    allow_remote: bool = False
    """Says that other machines may connect."""
    tls_certificate: str = ""
    """PEM file; required beyond loopback."""
    tls_key: str = ""
    """PEM file of the certificate's key."""
    hosts: list[Annotated[str, Meta(min_length=1, max_length=255)]] = []
    """Further names under which clients reach this bridge, exactly as in their Host header."""
    origins: list[Annotated[str, Meta(min_length=1, max_length=255)]] = []
    """Exact origins of web pages that may connect."""
    token: Annotated[str, Meta(max_length=256)] = ""
    """A fixed token, 32 characters at least; a new one is made at every start when empty."""
    sessions: Annotated[int, Meta(ge=1, le=1024)] = 32
    """Clients connected at the same time."""
    queued_jobs: Annotated[int, Meta(ge=1, le=100_000)] = 256
    """Jobs one session may have waiting."""
    live_sessions: Annotated[int, Meta(ge=0, le=64)] = 4
    """Live sessions of all clients; each has a worker process for itself."""
    live_per_client: Annotated[int, Meta(ge=1, le=64)] = 2
    """Live sessions of one client."""
    live_per_sec: Annotated[float, Meta(gt=0, le=1000)] = 60.0
    """Frames a second that a live session's worker is given at most."""
    prepare: bool = True
    """Whether kernels are compiled in the background after the first start, half a minute at the lowest priority."""
    store_quota_bytes: Annotated[int, Meta(ge=0)] = 0
    """Largest size of the store, files converted for hosts included; 0 for no limit but the disk."""
    upload_bytes: Annotated[int, Meta(ge=0)] = 4 << 30
    """Largest file that may be uploaded."""
    uploads_pending_bytes: Annotated[int, Meta(ge=0)] = 16 << 30
    """All uploads that have begun and not ended, of all clients together."""
    stall_secs: Annotated[float, Meta(gt=0, le=3600)] = 20.0
    """A client that takes nothing for so long while something waits for it is disconnected."""
    hello_secs: Annotated[float, Meta(gt=0, le=600)] = 10.0
    """A connection that has not said hello by then is closed."""
    export_secs: Annotated[float, Meta(gt=0, le=86400)] = 600.0
    """Longest time that writing one asset for a host may take."""
    decode_bytes: Annotated[int, Meta(ge=0)] = 0
    """Memory that reading one file may take; three quarters of the machine's, 24 GiB at most, when it is 0."""
    grace_secs: Annotated[float, Meta(ge=0, le=600)] = 5.0
    """Time that running jobs and clients are given when the bridge stops."""
    devices: list[Annotated[str, Meta(min_length=1, max_length=64)]] = []
    """Devices to use, as `cuda:0` or `cpu`; all that are found when empty."""
    watched_folders: list[WatchedFolder] = []
    """Folders whose files are offered as inputs."""
    watched_files: Annotated[int, Meta(ge=0, le=1000)] = 1000
    """Files offered at most, the newest first."""
    fsync: bool = False
    """Wait for the disk before a job is accepted: safe against power cuts, 2 to 8 ms slower per job."""
    nerfstudio_python: str = ""
    """The Python of an environment in which nerfstudio is installed; its methods are offered when it is named."""
    shap_e_folder: str = ""
    """Folder with the weights of Shap-E as diffusers keeps them; makes things of words when it is named."""
    text_to_image_folder: str = ""
    """Folder with a model of the Stable Diffusion 1 or 2 family as diffusers keeps it; makes splats of words."""
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$")] = "info"

    @property
    def data_path(self) -> Path:
        """`data_dir`, or the user's data directory for Scenecast."""
        return Path(self.data_dir).expanduser() if self.data_dir else platformdirs.user_data_path("scenecast")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.address == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False


def publish_paths(settings: Settings) -> None:
    """Tell this process and every worker where the user's own things are, and what decoders may take."""
    for name in LOCATED:
        if path := getattr(settings, name):
            os.environ[ENVIRONMENT_PREFIX + name.upper()] = path
    if settings.decode_bytes:
        os.environ[ENVIRONMENT_PREFIX + "DECODE_BYTES"] = str(settings.decode_bytes)


def load(
    overrides: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of the file, then of the environment, then `overrides`; each later one wins.

    Without `file` the one named by SCENECAST_CONFIG is read, else `scenecast.toml` in the user's configuration
    directory if there is one. Raises `SettingsError`.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    values.update(_from_file(file, environment))
    values.update(_from_environment(environment))
    values.update({name: value for name, value in (overrides or {}).items() if value is not None})
    return checked(values)


def checked(values: Mapping[str, Any]) -> Settings:
    """The settings made of `values`, every rule between them kept. Raises `SettingsError`."""
    for name in values:
        if name not in Settings.__struct_fields__:
            near = get_close_matches(name, Settings.__struct_fields__, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(Settings.__struct_fields__)}"
            raise SettingsError(f"there is no setting {name!r}", path=f"$.{name}", remedy=remedy)
    try:
        settings = msgspec.convert(dict(values), Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"the settings do not fit: {error}") from error
    if settings.token and len(settings.token) < 32:
        raise SettingsError(f"the token has {len(settings.token)} characters, expected 32 at least", path="$.token")
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise SettingsError("tls_certificate and tls_key go together", remedy="set both, or neither")
    if "null" in settings.origins or "*" in settings.origins:
        raise SettingsError("'null' and '*' are no origins that could be trusted", path="$.origins")
    if not settings.loopback:
        _check_remote(settings)
    return settings


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """The values of `NAME=VALUE` texts from a command line. Raises `SettingsError`."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"expected NAME=VALUE, got {text!r}")
        found[name] = _value(name, value, name)
    return found


def _check_remote(settings: Settings) -> None:
    if not settings.allow_remote:
        raise SettingsError(
            f"the address {settings.address} can be reached from other machines",
            path="$.address",
            remedy="use 127.0.0.1, or say allow_remote = true and give a TLS certificate",
        )
    if not settings.tls_certificate:
        raise SettingsError(
            "other machines may connect only through TLS",
            path="$.tls_certificate",
            remedy="set tls_certificate and tls_key; a self-signed pair is enough when clients pin it",
        )


def _from_file(file: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    named = file or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    path = named or platformdirs.user_config_path("scenecast") / "scenecast.toml"
    if named is None and not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in (RUNTIME_DIR_VARIABLE, CONFIG_VARIABLE):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in Settings.__struct_fields__:
            near = get_close_matches(name, Settings.__struct_fields__, 1)
            remedy = f"did you mean {ENVIRONMENT_PREFIX}{near[0].upper()}?" if near else "unset it"
            raise SettingsError(f"the environment variable {variable} is no setting", remedy=remedy)
        found[name] = _value(name, text, variable)
    return found


def _value(name: str, text: str, said: str) -> Any:
    """The value that `text` means for the setting `name`."""
    return text if get_type_hints(Settings).get(name) is str else _parsed(said, text)


def _parsed(variable: str, text: str) -> Any:
    """A value that is not plain text, written as in JSON: 8080, true, ["a", "b"]."""
    try:
        return json.loads(text)
    except ValueError:
        if text.startswith(("[", "{")):
            raise SettingsError(f"{variable} is not JSON: {text[:80]!r}") from None
        return text
