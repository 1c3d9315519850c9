"""The whole bridge with real workers, over a real socket; the client is `websockets` and `msgpack` alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bridge import discovery
from bridge.app import Bridge
from bridge.settings import SettingsError, checked
from bridge.store import StoreInUse
from generators.catalog import Catalog
from tests import fakes
from tests.bridge.fault_proxy import Fault, fault_proxy
from tests.bridge.served import Client, client
from tests.workplace import PATIENCE_SECS

EVENTS = ("job.queued", "job.started", "job.noted", "job.produced", "job.finished", "job.failed", "job.cancelled")
OVER = EVENTS[-3:]


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_SECS):
            await work

    asyncio.run(limited())


def bridge(root: Path, **values: Any) -> Bridge:
    settings = checked({"data_dir": str(root), "port": 0, "grace_secs": 0.5, **values})
    return Bridge(settings, catalog=Catalog.from_specs(*fakes.SPECS), workers=fakes.quick_workers(), announce=False)


def near(one: Bridge, **fields: Any) -> Any:
    """A client on the same disk."""
    return client(one.url, token=one.token, disk_proof=one.store.proof, **fields)


async def submit(me: Client, request_id: str, **fields: Any) -> dict[str, Any]:
    accepted = await me.ask("job.submit", "job.accepted", request_id=request_id, generator="fake.script", **fields)
    assert accepted["type"] == "job.accepted", accepted
    return accepted


def events_of(me: Client) -> list[dict[str, Any]]:
    return [message for message in me.heard if message["type"] in EVENTS]


def test_a_job_from_its_submission_to_its_files(tmp_path: Path) -> None:
    async def story() -> None:
        async with bridge(tmp_path) as one, near(one) as me:
            params = {"note": "hm", "progress": 3, "previews": 2, "sleep_secs": 0.1, "size_px": 64}
            accepted = await submit(me, "r1", params=params, seed=5, deliver={"host": "neutral"}, preview={})
            assert (accepted["seed"], accepted["duplicate"]) == (5, False)
            files = await me.hear_until("asset.files")
            if "job.finished" not in {message["type"] for message in me.heard}:
                await me.hear_until("job.finished")
            kinds = [event["type"] for event in events_of(me)]
            assert kinds == ["job.queued", "job.started", "job.noted", "job.produced", "job.finished"]
            assert [event["seq"] for event in events_of(me)] == [1, 2, 3, 4, 5]
            previews = [message for message in me.heard if message["type"] == "job.preview"]
            assert previews
            assert previews[0]["payload"][:2] == b"\xff\xd8"
            assert files["job_id"] == accepted["job_id"]
            assert files["digest"] == events_of(me)[3]["asset"]["digest"]
            (row,) = files["files"]
            values = np.memmap(row["path"], row["dtype"], "r", row["offset"], tuple(row["shape"]))
            assert values.shape[:2] == (64, 64)
            assert hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() == row["sha256"]
            again = await submit(me, "r1", params=params, seed=5, deliver={"host": "neutral"}, preview={})
            assert (again["job_id"], again["duplicate"]) == (accepted["job_id"], True)

    run(story())


def test_refused_cancelled_failed_listed_and_rated(tmp_path: Path) -> None:
    async def story() -> None:
        async with bridge(tmp_path) as one, near(one) as me:
            wrong = await me.ask(
                "job.submit", "job.accepted", request_id="w", generator="fake.script", params={"assets": 9999}
            )
            assert (wrong["code"], wrong["path"]) == ("request.parameter", "$.params.assets")
            long = await submit(me, "long", params={"sleep_secs": 60.0}, seed=1)
            await me.hear_until("job.started")
            await me.say("job.cancel", job_id=long["job_id"])
            assert (await me.hear_until(*OVER))["type"] == "job.cancelled"
            await submit(me, "bad", params={"raises": "told"}, seed=1)
            failed = await me.hear_until(*OVER)
            assert (failed["type"], failed["code"]) == ("job.failed", "run.failed")
            await submit(me, "dead", params={"dies": "segfault"}, seed=1)
            died = await me.hear_until(*OVER)
            assert (died["type"], died["code"]) == ("job.failed", "run.worker_died")
            good = await submit(me, "good", seed=1)
            finished = await me.hear_until(*OVER)
            page = await me.ask("job.list", "job.page", request_id="l")
            states = {row["request_id"]: row["state"] for row in page["jobs"]}
            assert states == {"long": "cancelled", "bad": "failed", "dead": "failed", "good": "finished"}
            digest = finished["assets"][0]["digest"]
            rated = await me.ask(
                "job.rate", "job.rated", request_id="s", job_id=good["job_id"], digest=digest, score=1, tags=["nice"]
            )
            assert rated == {"type": "job.rated", "request_id": "s"}
            assert [event["seq"] for event in events_of(me)] == list(range(1, len(events_of(me)) + 1))

    run(story())


def test_an_uploaded_picture_is_repainted_and_comes_back_to_a_far_client(tmp_path: Path) -> None:
    async def story() -> None:
        async with bridge(tmp_path) as one, client(one.url, token=one.token) as me:
            made = await submit(me, "first", params={"size_px": 32}, seed=1, deliver={"host": "web"})
            files = await me.hear_until("asset.files")
            (picture,) = (await me.take_files(files))[:1]
            assert picture[:8] == b"\x89PNG\r\n\x1a\n"
            digest = hashlib.sha256(picture).hexdigest()
            offer = {"digest": digest, "size_bytes": len(picture), "media_type": "image/png"}
            state = await me.ask("upload.offer", "upload.state", None, request_id="u", **offer)
            await me.say("upload.chunk", picture, upload=state["upload"], offset=0)
            asset = (await me.hear_until("upload.state", "refused"))["asset"]
            repaint = {"generator": "fake.repaint", "inputs": {"picture": asset["digest"]}, "seed": 1}
            ports = {row["id"]: row["takes"] for row in me.heard[0]["generators"]}
            repaint["inputs"] = {ports["fake.repaint"][0]["name"]: asset["digest"]}
            accepted = await me.ask("job.submit", "job.accepted", None, request_id="re", **repaint)
            assert accepted["type"] == "job.accepted", accepted
            assert (await me.hear_until(*OVER))["type"] == "job.finished"
            assert made["job_id"] != accepted["job_id"]

    run(story())


def test_a_bridge_that_stops_keeps_its_jobs_and_the_session(tmp_path: Path) -> None:
    async def story() -> None:
        async with bridge(tmp_path, grace_secs=0.1) as one, near(one) as me:
            session = me.heard[0]["session"]
            for number in range(3):
                await submit(me, f"r{number}", params={"sleep_secs": 0.6}, seed=number)
            await me.hear_until("job.started")
            await one._server.stop("the bridge stops", 1.0)
            await me.hear_until("closing")
            seen = [event["seq"] for event in events_of(me)]
            finished = {event["job_id"] for event in events_of(me) if event["type"] == "job.finished"}
        async with bridge(tmp_path) as one, near(one, session=session, cursor=seen[-1]) as me:
            assert me.heard[0]["resumed"] is True
            while len(finished) < 3:
                event = await me.hear_until(*EVENTS)
                seen.append(event["seq"])
                if event["type"] == "job.finished":
                    finished.add(event["job_id"])
            assert seen == list(range(1, len(seen) + 1))

    run(story())


def test_the_catalog_is_sent_again_when_the_devices_are_known(tmp_path: Path) -> None:
    async def story() -> None:
        async with bridge(tmp_path) as one, near(one) as me:
            if not one.jobs.devices:
                catalog = await me.hear_until("catalog")
                huge = next(row for row in catalog["generators"] if row["id"] == "fake.huge")
                assert (huge["available"], "GPU" in huge["reason"]) == (False, True)
            asked = await me.ask("catalog.get", "catalog", request_id="c")
            while not asked["request_id"]:  # sent unasked, when the devices became known after the welcome
                asked = await me.hear_until("catalog")
            assert asked["request_id"] == "c"
            assert {row["id"] for row in asked["generators"]} == {spec.id for spec in fakes.SPECS}

    run(story())


def test_random_cuts_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Connections are cut, sliced and delayed at random while jobs run; the client only remembers what it has seen."""
    chance = random.Random(7)

    def fault() -> Fault:
        return chance.choice(
            [
                Fault(cut_bytes=chance.randint(500, 60_000)),
                Fault(cut_bytes=chance.randint(2_000, 20_000), slice_bytes=7),
                Fault(slice_bytes=64),
                Fault(delay_secs=0.002),
            ]
        )

    async def story() -> None:
        session, seen, wanted, over, cuts = "", list[int](), [f"r{number}" for number in range(30)], set[str](), 0
        accepted: dict[str, str] = {}
        ports: list[int] = []
        async with (
            fault_proxy(lambda: ports[0], fault) as port,
            bridge(tmp_path, hosts=[f"127.0.0.1:{port}"]) as one,
        ):
            ports.append(one.port)
            while len(over) < len(wanted) or len(accepted) < len(wanted):  # an answer may be cut off when all is done
                try:
                    async with (
                        asyncio.timeout(5),
                        client(f"ws://127.0.0.1:{port}", token=one.token, hello=False) as me,
                    ):
                        welcome = await me.hello(session=session, cursor=seen[-1] if seen else 0)
                        assert not session or welcome["resumed"]
                        session = welcome["session"]
                        for name in [name for name in wanted if name not in accepted][:4]:
                            await me.say("job.submit", request_id=name, generator="fake.script", seed=1)
                        while len(over) < len(wanted) or len(accepted) < len(wanted):
                            message = await me.hear()
                            if message["type"] == "job.accepted":
                                known = accepted.setdefault(message["request_id"], message["job_id"])
                                assert known == message["job_id"]
                                if message["request_id"] in wanted and len(accepted) % 4 == 0:
                                    break
                            elif message["type"] in EVENTS:
                                assert message["seq"] == len(seen) + 1
                                seen.append(message["seq"])
                                if message["type"] in OVER:
                                    assert message["job_id"] not in over
                                    over.add(message["job_id"])
                except (ConnectionClosed, InvalidHandshake, EOFError, TimeoutError, ConnectionError):
                    cuts += 1
            assert sorted(accepted) == sorted(wanted)
            assert over == set(accepted.values())
            assert [event.seq for event in one.jobs.events_after(session, 0)] == seen
        assert cuts > 0

    run(story())


def serve(root: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bridge", "--json", "--port", "0", "--data-dir", str(root / "data"), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SCENECAST_RUNTIME_DIR": str(root / "run"), "SCENECAST_PREPARE": "false", **environment},
    )


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_served_bridge_is_found_used_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    process = serve(tmp_path)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    (found,) = discovery.find(tmp_path / "run")
    assert (found.url, found.pid) == (ready["url"], process.pid)
    assert Path(ready["discovery"]).parent == tmp_path / "run"

    async def story() -> None:
        proof = Path(found.proof_path).read_text("ascii")
        async with client(found.url, token=found.token, disk_proof=proof) as me:
            assert me.heard[0]["shares_disk"] is True
            process.send_signal(number)
            assert (await me.hear_until("closing"))["reason"]

    run(story())
    _, errors = process.communicate(timeout=PATIENCE_SECS)
    assert process.returncode == 0, errors
    assert not list((tmp_path / "run").iterdir())
    lines = [json.loads(line) for line in errors.splitlines()]
    assert "listening" in {line["message"] for line in lines}
    assert found.token not in errors


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_bridge_that_is_ended_as_soon_as_it_is_there_ends_cleanly(tmp_path: Path) -> None:
    process = serve(tmp_path)
    assert process.stdout is not None and process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE_SECS)
    assert process.returncode == 0, errors
    assert not list((tmp_path / "run").iterdir())


def test_what_forbids_the_start_is_said_in_words(tmp_path: Path) -> None:
    async def story() -> None:
        async with bridge(tmp_path) as one:
            with pytest.raises(StoreInUse):
                async with bridge(tmp_path):
                    pass
            with pytest.raises(SettingsError, match="cannot listen"):
                async with bridge(tmp_path / "other", port=one.port):
                    pass
            async with near(one) as me:
                assert await me.ask("ping", "pong", id=1)

    run(story())
    process = serve(tmp_path, "--set", "prot=1")
    _, errors = process.communicate(timeout=PATIENCE_SECS)
    assert process.returncode == 2
    assert "did you mean 'port'" in errors


def test_remote_clients_come_through_tls_alone(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl program to make a certificate")
    pem, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=studio", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True,
    )  # fmt: skip

    async def story() -> None:
        secured = {"tls_certificate": str(pem), "tls_key": str(key), "address": "0.0.0.0", "allow_remote": True}
        async with bridge(tmp_path / "data", **secured) as one:
            assert one.url == f"wss://127.0.0.1:{one.port}"
            der = ssl.PEM_cert_to_DER_cert(pem.read_text())
            assert one._discovered().certificate_sha256 == hashlib.sha256(der).hexdigest()
            trust = ssl.create_default_context(cafile=str(pem))
            async with client(one.url, token=one.token, tls=trust) as me:
                assert await me.ask("ping", "pong", id=1) == {"type": "pong", "id": 1}
            with pytest.raises((InvalidHandshake, ConnectionError, EOFError)):
                async with client(one.url.replace("wss", "ws"), token=one.token):
                    pass

    run(story())
