from __future__ import annotations

from itertools import product

import pytest

from bridge.errors import BadToken, ForeignOrigin, GateError, WrongHost
from bridge.gate import Gate, Knock, host_names

TOKEN = "k" * 40
GATE = Gate(TOKEN, host_names(7263, "127.0.0.1"), frozenset({"https://panel.example"}))
BEARER = f"Bearer {TOKEN}"


def knock(
    *,
    hosts: tuple[str, ...] = ("127.0.0.1:7263",),
    origins: tuple[str, ...] = (),
    authorizations: tuple[str, ...] = (BEARER,),
    subprotocols: tuple[str, ...] = (),
    path: str = "/",
) -> Knock:
    return Knock("GET", path, hosts, origins, authorizations, subprotocols)


@pytest.mark.parametrize("host", ["127.0.0.1:7263", "localhost:7263", "LocalHost:7263", "[::1]:7263"])
def test_our_own_names_are_let_in(host: str) -> None:
    GATE.check(knock(hosts=(host,)))


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("",),
        ("127.0.0.1",),
        ("127.0.0.1:7264",),
        ("evil.example:7263",),
        ("127.0.0.1.evil.example:7263",),
        ("localhost.evil.example:7263",),
        ("evil.example:7263#127.0.0.1:7263",),
        ("127.0.0.1:7263\n",),
        ("127.0.0.1:7263 ",),
        ("127.1:7263",),
        ("2130706433:7263",),
        ("127.0.0.1:7263", "evil.example"),
        ("127.0.0.1:7263", "127.0.0.1:7263"),
    ],
)
def test_other_names_are_not(hosts: tuple[str, ...]) -> None:
    for path in ("/", "/healthz", "/metrics"):
        with pytest.raises(WrongHost):
            GATE.check(knock(hosts=hosts, path=path))


@pytest.mark.parametrize(
    "origins",
    [
        ("null",),
        ("",),
        ("https://evil.example",),
        ("http://panel.example",),
        ("https://panel.example:8443",),
        ("https://panel.example.evil",),
        ("https://PANEL.example",),
        ("http://127.0.0.1:7263",),
        ("https://panel.example", "https://evil.example"),
    ],
)
def test_pages_of_other_origins_are_not_let_in_even_with_the_token(origins: tuple[str, ...]) -> None:
    for path in ("/", "/healthz", "/metrics"):
        with pytest.raises(ForeignOrigin):
            GATE.check(knock(origins=origins, path=path))


@pytest.mark.parametrize(
    "authorizations",
    [
        (),
        ("",),
        (TOKEN,),
        (f"bearer {TOKEN}",),
        (f"Bearer {TOKEN}x",),
        (f"Bearer {TOKEN[:-1]}",),
        ("Bearer é",),
        (BEARER,) * 2,
    ],
)
def test_only_the_token_itself_opens(authorizations: tuple[str, ...]) -> None:
    for path in ("/", "/metrics", "/healthz/", "/healthzz", "//healthz"):
        with pytest.raises(BadToken):
            GATE.check(knock(authorizations=authorizations, path=path))
    GATE.check(knock(authorizations=authorizations, path="/healthz"))
    GATE.check(knock(authorizations=authorizations, path="/healthz?verbose"))


def test_a_token_among_the_subprotocols_counts_for_listed_pages_alone() -> None:
    offered = ("scenecast.v1", f"scenecast.token.{TOKEN}")
    GATE.check(knock(origins=("https://panel.example",), authorizations=(), subprotocols=offered))
    with pytest.raises(BadToken):
        GATE.check(knock(authorizations=(), subprotocols=offered))
    with pytest.raises(BadToken):
        GATE.check(knock(origins=("https://panel.example",), authorizations=(), subprotocols=(*offered, offered[1])))


def test_against_the_plain_rule() -> None:
    """Every combination of good and bad: let in exactly when all three are good."""
    hosts = {("localhost:7263",): True, ("evil.example",): False}
    origins = {(): True, ("https://panel.example",): True, ("null",): False}
    tokens = {(BEARER,): True, ("Bearer no",): False}
    for (host, good_host), (origin, good_origin), (token, good_token) in product(
        hosts.items(), origins.items(), tokens.items()
    ):
        try:
            GATE.check(knock(hosts=host, origins=origin, authorizations=token))
            let_in = True
        except GateError:
            let_in = False
        assert let_in == (good_host and good_origin and good_token)


def test_host_names_follow_the_address_and_the_settings() -> None:
    names = host_names(9, "192.168.1.5", ["Studio.local", "bridge.example:443", "[fe80::1]"])
    assert names == {
        "127.0.0.1:9",
        "localhost:9",
        "[::1]:9",
        "192.168.1.5:9",
        "studio.local:9",
        "bridge.example:443",
        "[fe80::1]:9",
    }
    assert host_names(9, "0.0.0.0") == host_names(9, "127.0.0.1")
    assert "[2001:db8::1]:9" in host_names(9, "2001:db8::1")


def test_an_empty_token_is_no_token() -> None:
    with pytest.raises(BadToken):
        GATE.check(knock(authorizations=("Bearer ",)))
