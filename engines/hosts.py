"""All host rows by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engines.blender import BLENDER
from engines.conventions import Host
from engines.errors import UnknownHost
from engines.python import PYTHON
from engines.unity import UNITY
from engines.unreal import UNREAL
from engines.web import WEB

HOSTS: Mapping[str, Host] = MappingProxyType({row.name: row for row in (BLENDER, UNITY, UNREAL, WEB, PYTHON)})


def host(name: str) -> Host:
    """The row of that name. Raises `UnknownHost`."""
    row = HOSTS.get(name)
    if row is None:
        raise UnknownHost(f"no host is called {name!r}", remedy=f"use one of {', '.join(HOSTS)}")
    return row
