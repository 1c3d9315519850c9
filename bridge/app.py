"""The whole bridge in one object: what `scenecast serve`, the tests and a private bridge of the CLI run."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge import discovery
from bridge.connection import Connection, Registry, Services
from bridge.delivery import Delivery
from bridge.errors import TooManySessions
from bridge.export_process import ExportProcess
from bridge.gate import Gate, host_names
from bridge.jobs import Jobs, JobSettings
from bridge.ledger import Ledger
from bridge.live import LiveRoom, LiveSettings
from bridge.messages import CHUNK_BYTES, MAX_FRAME_BYTES, PROTOCOL, GeneratorRow, HostRow, Limits, WatchedFile
from bridge.metrics import Counters
from bridge.outbox import WINDOW_BYTES
from bridge.provenance import package_version
from bridge.server import Server
from bridge.settings import Settings, SettingsError, publish_paths
from bridge.store import Store
from bridge.supervisor import Supervisor, WorkerSettings
from bridge.uploads import Uploads
from bridge.watch import Watch
from engines.hosts import HOSTS
from generators import catalog as catalogs
from generators.catalog import Catalog

log = logging.getLogger(__name__)

CATALOG_SECS = 5.0
"""The catalog is worked out no more often, however often clients ask; a change of devices counts at once."""

SERVER = f"scenecast {package_version()}"


class Bridge:
    """One running bridge: `async with Bridge(settings) as bridge: …` starts and stops it.

    `catalog` and `workers` replace what is installed and how workers are started, for tests. With `announce` false
    no discovery file is written.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        catalog: Catalog | None = None,
        workers: WorkerSettings | None = None,
        announce: bool = True,
    ) -> None:
        self.settings = settings
        self.token = settings.token or secrets.token_urlsafe(32)
        self.port = 0
        self.discovery_file: Path | None = None
        self._announce = announce
        self._catalog = catalog
        self._workers = workers or WorkerSettings(devices=tuple(settings.devices))
        self._started = time.time()
        self._stopping = asyncio.Event()
        self._warming: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start; the bridge answers when this returns. Raises `SettingsError`, `StoreInUse`, `DiscoveryError`."""
        tls = _tls_context(self.settings)
        catalog = self._catalog or catalogs.load()
        for name, reason in catalog.broken.items():
            log.warning("the declaration of generator %s does not count: %s", name, reason)
        publish_paths(self.settings)
        data = self.settings.data_path
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.store = Store(
            data / "store", quota_bytes=self.settings.store_quota_bytes or None, fsync=self.settings.fsync
        )
        self._ledger = Ledger(data / "ledger.db", fsync=self.settings.fsync)
        self._supervisor = Supervisor(self.store.root / "spool", self._workers)
        self.jobs = Jobs(
            ledger=self._ledger,
            store=self.store,
            supervisor=self._supervisor,
            catalog=catalog,
            settings=JobSettings(queued_jobs=self.settings.queued_jobs),
        )
        self._assemble()
        try:
            await self.jobs.start()
        except BaseException:
            self._ledger.close()
            raise
        try:
            await self._open(tls)
        except BaseException:
            await self._stop_work(0.0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop: clients are told, what is queued for them leaves, workers end, jobs go back into the queue."""
        if self.discovery_file is not None:
            discovery.withdraw(self.discovery_file)
        await self._server.stop("the bridge stops; accepted jobs are kept", self.settings.grace_secs)
        await self._stop_work(self.settings.grace_secs)
        log.info("stopped")

    @property
    def url(self) -> str:
        """Where clients connect."""
        scheme = "wss" if self.settings.tls_certificate else "ws"
        address = "127.0.0.1" if self.settings.address in ("0.0.0.0", "::") else self.settings.address
        return f"{scheme}://{f'[{address}]' if ':' in address else address}:{self.port}"

    def stop_soon(self) -> None:
        """Let `serve_forever` return."""
        self._stopping.set()

    @contextlib.contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """From now on SIGTERM and SIGINT let `serve_forever` return; before, they end the process as it stands."""
        loop = asyncio.get_running_loop()
        handled = (signal.SIGTERM, signal.SIGINT) if os.name == "posix" else ()
        for number in handled:
            loop.add_signal_handler(number, self._stopping.set)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    async def serve_forever(self) -> None:
        """Return when the process is asked to end (SIGTERM, SIGINT) or `stop_soon` was called."""
        with self.heeding_signals():
            await self._stopping.wait()

    def figures(self) -> dict[str, float]:
        """Everything `/metrics` tells."""
        own = {"uptime_seconds": time.time() - self._started, "sessions": len(self._registry)}
        return {**self._counters.figures(), **self.jobs.figures(), **self._live.figures(), **own}

    def _assemble(self) -> None:
        """Make the parts that need no running loop, and tie them together."""
        settings = self.settings
        self._counters = Counters()
        self._registry = Registry()
        self._exporter = ExportProcess(timeout_secs=settings.export_secs)
        self._delivery = Delivery(self.store, self._exporter, self._counters, version=package_version())
        self._watch = Watch(
            settings.watched_folders,
            self.store,
            most_files=settings.watched_files,
            most_bytes=settings.upload_bytes,
            on_change=self._registry.tell_catalog,
        )
        self._uploads = Uploads(
            self.store, file_bytes=settings.upload_bytes, pending_bytes=settings.uploads_pending_bytes
        )
        self._house = _House(self.jobs, self._registry, self._watch, self.store.proof, settings)
        live = LiveSettings(
            sessions=settings.live_sessions, per_client=settings.live_per_client, per_sec=settings.live_per_sec
        )
        self._live = LiveRoom(
            supervisor=self._supervisor, catalog=self.jobs.catalog, store=self.store, counters=self._counters,
            settings=live,
        )  # fmt: skip
        services = Services(
            self.jobs,
            self._house,
            self._delivery,
            self._uploads,
            self._registry,
            self._counters,
            self.jobs.growths,
            self._live,
        )
        self.jobs.listener = self._registry.tell
        self._server = Server(
            name=SERVER,
            make_gate=self._gate,
            make_connection=lambda: Connection(services),
            counters=self._counters,
            figures=self.figures,
            sessions=settings.sessions,
            stall_secs=settings.stall_secs,
            hello_secs=settings.hello_secs,
        )

    async def _open(self, tls: ssl.SSLContext | None) -> None:
        """Take the port, say where, then answer."""
        self._follow_devices()
        try:
            self.port = await self._server.bind(self.settings.address, self.settings.port, tls)
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {self.settings.address}:{self.settings.port}: {error.strerror}",
                path="$.port",
                remedy="another bridge may be running; stop it, or use port 0 for a free one",
            ) from error
        if self._announce:
            self.discovery_file = discovery.announce(self._discovered())
        await self._server.begin()
        await self._watch.start()
        self._warming = asyncio.create_task(self._exporter.start())
        log.info("listening", extra={"url": self.url, "pid": os.getpid()})

    async def _stop_work(self, grace_secs: float) -> None:
        await self._watch.stop()
        await self._uploads.stop()
        await self._delivery.stop()
        if self._warming is not None:
            with contextlib.suppress(OSError):
                await self._warming
        await self._exporter.stop()
        await self.jobs.stop(grace_secs)
        self._live.stop()
        self._ledger.close()

    def _gate(self, port: int) -> Gate:
        hosts = host_names(port, self.settings.address, self.settings.hosts)
        return Gate(self.token, hosts, frozenset(self.settings.origins))

    def _discovered(self) -> discovery.Discovered:
        return discovery.Discovered(
            url=self.url,
            port=self.port,
            pid=os.getpid(),
            token=self.token,
            protocol=PROTOCOL,
            server=SERVER,
            store_root=str(self.store.root),
            proof_path=str(self.store.root / "proof"),
            started=self._started,
            certificate_sha256=_fingerprint(self.settings),
        )

    def _follow_devices(self) -> None:
        """Send the catalog again when workers have found devices, or can no longer be started."""
        told: list[object] = [[], ""]
        on_idle, on_trouble = self._supervisor.on_idle, self._supervisor.on_trouble

        def look() -> None:
            now = [list(self._supervisor.devices), self._supervisor.trouble]
            if now != told:
                told[:] = now
                self._house.forget_generators()
                self._registry.tell_catalog()

        def idle() -> None:
            on_idle()
            look()

        def trouble(words: str) -> None:
            on_trouble(words)
            look()

        self._supervisor.on_idle, self._supervisor.on_trouble = idle, trouble


class _House:
    """What sessions tell their clients of this bridge."""

    server = SERVER

    def __init__(self, jobs: Jobs, registry: Registry, watch: Watch, proof: str, settings: Settings) -> None:
        self.proof = proof
        self.limits = Limits(
            frame_bytes=MAX_FRAME_BYTES,
            chunk_bytes=CHUNK_BYTES,
            upload_bytes=settings.upload_bytes,
            queued_jobs=settings.queued_jobs,
            credit_bytes=WINDOW_BYTES,
        )
        self._jobs = jobs
        self._registry = registry
        self._watch = watch
        self._most = settings.sessions
        self._rows: list[GeneratorRow] = []
        self._rows_made = -CATALOG_SECS

    def generators(self) -> list[GeneratorRow]:
        """The catalog as it is now, or was a moment ago."""
        if time.monotonic() - self._rows_made > CATALOG_SECS:
            self._rows, self._rows_made = self._jobs.generator_rows(), time.monotonic()
        return self._rows

    def forget_generators(self) -> None:
        """The devices have changed."""
        self._rows_made = -CATALOG_SECS

    def hosts(self) -> list[HostRow]:
        """All host rows."""
        return [
            HostRow(
                name=row.name,
                title=row.title,
                formats={kind.value: list(formats) for kind, formats in row.formats.items()},
            )
            for row in HOSTS.values()
        ]

    def watched(self) -> list[WatchedFile]:
        """The files in watched folders."""
        return self._watch.rows()

    def admit(self, session: str) -> None:
        """Raise `TooManySessions` unless the session is open already or there is room for one more."""
        if session not in self._registry and len(self._registry) >= self._most:
            raise TooManySessions(
                f"{self._most} clients are connected, and no more may",
                remedy="close one of them, or raise `sessions` in the settings",
            )


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"the TLS certificate cannot be used: {error}", path="$.tls_certificate") from error
    return context


def _fingerprint(settings: Settings) -> str:
    if not settings.tls_certificate:
        return ""
    pem = Path(settings.tls_certificate).read_text("ascii")
    begin = pem.index("-----BEGIN CERTIFICATE-----")
    end = pem.index("-----END CERTIFICATE-----", begin) + len("-----END CERTIFICATE-----")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[begin:end])).hexdigest()
