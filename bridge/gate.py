"""Who may come in: one pure check before any routing, the same for plain requests and for websocket upgrades.

Order: Host, then Origin, then token. All comparisons are with exact sets, the token's in constant time; there are no
cookies, no patterns and no exceptions by path but `/healthz`, which tells no secret and needs no token.

- Host: only the names this bridge was told it has, with its port. A page that rebinds its own name to 127.0.0.1
  still sends its own name here.
- Origin: programs send none. A browser always does, and only listed ones are let in; `null` is never listed.
- Token: `Authorization: Bearer <token>`. A browser cannot set that on a websocket, so a page of a listed origin may
  offer the subprotocol `scenecast.token.<token>` instead.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.errors import BadToken, ForeignOrigin, WrongHost

TOKEN_SUBPROTOCOL = "scenecast.token."
OPEN_PATHS = frozenset({"/healthz"})


@dataclass(frozen=True)
class Knock:
    """What the gate looks at of a request; every value of a header that came, in order."""

    method: str
    path: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...] = ()
    authorizations: tuple[str, ...] = ()
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gate:
    """What this bridge lets in."""

    token: str
    hosts: frozenset[str]
    """Lower-case `name:port`."""
    origins: frozenset[str] = frozenset()
    """Exact origins of web pages, as `https://panel.example:8443`."""

    def check(self, knock: Knock) -> None:
        """Raise a `GateError` unless the request may be answered."""
        if len(knock.hosts) != 1 or knock.hosts[0].lower() not in self.hosts:
            raise WrongHost(
                "the Host header names no address of this bridge",
                remedy="connect to the url in the discovery file, or list the name under `hosts` in the settings",
            )
        if knock.origins and (len(knock.origins) != 1 or knock.origins[0] not in self.origins):
            raise ForeignOrigin(
                "web pages of this origin may not connect",
                remedy="list the page's exact origin under `origins` in the settings",
            )
        if knock.path.partition("?")[0] in OPEN_PATHS:
            return
        if not self._knows_token(knock):
            raise BadToken(
                "no token came, or not the token of this run of the bridge",
                remedy="read the token from the discovery file again; it changes at every start",
            )

    def _knows_token(self, knock: Knock) -> bool:
        given = [value.removeprefix("Bearer ") for value in knock.authorizations if value.startswith("Bearer ")]
        if knock.origins:
            offered = [name for name in knock.subprotocols if name.startswith(TOKEN_SUBPROTOCOL)]
            given += [name.removeprefix(TOKEN_SUBPROTOCOL) for name in offered]
        return len(given) == 1 and secrets.compare_digest(given[0].encode("utf-8", "replace"), self.token.encode())


def host_names(port: int, bound: str, more: Iterable[str] = ()) -> frozenset[str]:
    """The Host values that are ours: loopback by its three names, the bound address, and those in the settings."""
    names = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    if bound not in ("", "0.0.0.0", "::"):
        names.add(f"[{bound}]:{port}" if ":" in bound else f"{bound}:{port}")
    names |= {name if _has_port(name) else f"{name}:{port}" for name in more}
    return frozenset(name.lower() for name in names)


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdigit() and not name.endswith("]")
