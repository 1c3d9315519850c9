"""Checks that need something to run: the bridge that is there, a bridge of one's own, and every host's export."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bridge.cli.finding import Finding
from bridge.cli.private import PrivateBridge
from engines.assets import Material, Mesh, Splats
from engines.conventions import Host
from python_client import ConnectionFailed, ScenecastError, connect, discovery

READ_BACK = ("glb", "spz")
"""Formats that say their own axes, so that what was written for any host can be judged without the host."""
TRIALS: tuple[tuple[str, dict[str, str], bool, int], ...] = (
    ("a foreign Origin", {"Origin": "https://evil.example"}, True, 403),
    ("the origin null", {"Origin": "null"}, True, 403),
    ("another name in Host", {"Host": "rebound.example:{port}"}, True, 421),
    ("no token", {}, False, 401),
    ("a wrong token", {"Authorization": "Bearer wrong"}, False, 401),
)
"""(what is tried, headers, whether the right token is sent, the status that must come)."""


def check_bridge() -> Iterator[Finding]:
    """The running bridge answers; the gate of it, or of one started for this, refuses strangers."""
    found, refused = discovery.look()
    for words in refused:
        yield Finding("warning", "discovery", words, "remove the file")
    if found:
        yield from _check_running(found[0])
        yield from _check_gate(found[0].url, found[0].token)
        return
    yield Finding("note", "bridge", "none is running; commands start a private one", "start one with `scenecast serve`")
    with tempfile.TemporaryDirectory(prefix="scenecast-doctor-") as folder:
        try:
            with PrivateBridge(Path(folder)) as bridge:
                with bridge.connect() as client:
                    secs = min(client.ping() for _ in range(5))
                    yield Finding("ok", "private bridge", f"starts, shares the disk, answers in {secs * 1e3:.1f} ms")
                yield from _check_gate(bridge.url, bridge.token)
        except ScenecastError as error:
            yield Finding("problem", "private bridge", error.message, error.remedy)
        except Exception as error:
            yield Finding("problem", "private bridge", str(error), getattr(error, "remedy", ""))


def _check_running(found: discovery.Discovered) -> Iterator[Finding]:
    try:
        with connect(timeout_secs=5) as client:
            secs = min(client.ping() for _ in range(5))
            shares = client.protocol.welcome is not None and client.protocol.welcome.shares_disk
            missing = [row for row in client.generators if not row.available]
            count = len(client.generators)
    except ScenecastError as error:
        yield Finding("problem", "bridge", f"{found.url} runs but {error.message}", error.remedy)
        return
    words = f"{found.url} (pid {found.pid}) answers in {secs * 1e3:.1f} ms, {count} generators"
    yield Finding("ok", "bridge", words)
    if not shares:
        yield Finding("warning", "bridge", "it does not share the disk: files go by chunks", "check the store's mode")
    for row in missing:
        yield Finding("note", f"generator {row.id}", row.reason)


def _check_gate(url: str, token: str) -> Iterator[Finding]:
    """Knock as strangers would: every one of them must be refused, with the right status."""
    parts = urlsplit(url)
    if parts.scheme == "wss":
        yield Finding("note", "security", "the bridge speaks TLS; its gate is not tried from here")
        return
    wrong = []
    for what, headers, with_token, expected in TRIALS:
        status = _knock(parts.hostname or "", parts.port or 0, headers, token if with_token else "")
        if status != expected:
            wrong.append(f"{what} got {status or 'no answer'}, expected {expected}")
    try:
        connect(url, "x" * 43, timeout_secs=5).close()
        wrong.append("a client with a wrong token was welcomed")
    except ConnectionFailed:
        pass  # as it must be
    if wrong:
        yield Finding("problem", "security", "; ".join(wrong), "stop the bridge and report this")
    else:
        yield Finding("ok", "security", f"{len(TRIALS)} kinds of strangers are refused, each for its own reason")


def _knock(host: str, port: int, headers: dict[str, str], token: str) -> int:
    """The HTTP status that a websocket upgrade with these headers gets; 0 for no answer."""
    lines = {"Host": f"{host}:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": "scenecast.v1"}  # fmt: skip
    if token:
        lines["Authorization"] = f"Bearer {token}"
    lines |= {name: value.format(port=port) for name, value in headers.items()}
    request = "GET / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    try:
        with socket.create_connection((host, port), 5) as connection:
            connection.sendall(request.encode())
            words = connection.recv(64).split()
    except OSError:
        return 0
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def check_hosts() -> Iterator[Finding]:
    """The letter F with its coloured arms, written for every host in every format; what can be read back is."""
    from engines import asymmetric
    from engines.extras import how_to_get
    from engines.formats.registry import format_named, missing_need
    from engines.hosts import HOSTS

    assets = (asymmetric.asymmetric_mesh(), asymmetric.asymmetric_splats(), asymmetric.asymmetric_material(64))
    for row in HOSTS.values():
        written, trouble, absent = [], [], []
        for asset in assets:
            for name in row.formats.get(asset.kind, ()):
                module = missing_need(format_named(name))
                fault = "" if module else _export_fault(asset, row, name)
                if module:
                    absent.append((asset.kind, name, module))
                elif fault:
                    trouble.append(f"{asset.kind} as {name}: {fault}")
                else:
                    written.append(f"{asset.kind} {name}")
        if trouble:
            yield Finding("warning", f"host {row.name}", "; ".join(trouble), "report this, with what doctor says")
        if absent:
            words = ", ".join(f"{kind} as {name}" for kind, name, _ in absent)
            remedy = f"{'; '.join(dict.fromkeys(how_to_get(module) for *_, module in absent))}, if you want it"
            yield Finding("note", f"host {row.name}", f"does not write {words} yet", remedy)
        yield Finding("ok", f"host {row.name}", f"writes {', '.join(written)}")


def _export_fault(asset: Mesh | Splats | Material, row: Host, name: str) -> str:
    """What goes wrong when the asset is written for the host, and, in self-describing formats, read again."""
    from engines.asymmetric import findings
    from engines.errors import EnginesError
    from engines.export import export
    from engines.formats.registry import Limits, decoder, format_named

    form = format_named(name)
    with tempfile.TemporaryDirectory(prefix="scenecast-doctor-") as folder:
        try:
            files = export(asset, row, Path(folder), formats={asset.kind: name})
            if name not in READ_BACK or isinstance(asset, Material):
                return ""
            back = decoder(form)(Path(folder) / files[0].file, Limits())
            return "; ".join(findings(back)) if isinstance(back, (Mesh, Splats)) else f"came back as a {back.kind}"
        except (EnginesError, OSError) as error:
            return str(error)
