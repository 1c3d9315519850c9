"""The conversation with a bridge, without any I/O: frames in, frames out, and all that outlives a connection.

A connection begins with `begin`, ends with `lost`; in between frames go in through `receive` and come out of
`next_frame`. Whatever has no answer when a connection ends is said again on the next one: every request carries an
id that makes saying it twice the same as once. Durable events are taken in their order and only once, by number.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any, Callable, Optional

from . import messages
from .bookmarks import Bookmark, Orphans, kept, put_back, put_back_submit
from .decoding import Part
from .errors import BadMessage, JobCancelled, Refused, ScenecastError, TransferFailed
from .frames import decode_frame, encode
from .growing import GrowingCloud
from .jobs import Driver, Job, JobTable
from .live import Lives
from .replies import Reply, Requests
from .transfers import Delivery, Spool, Transfers
from .uploads import Source, Upload, prepared
from .watches import Watches

_NOTHING = memoryview(b"")


class Protocol:
    """One session's state, kept across connections."""

    def __init__(
        self,
        driver: Driver,
        *,
        client: str,
        host: str = "python",
        host_version: str = "",
        bookmark: Optional[Bookmark] = None,
        verify: Optional[bool] = None,
    ) -> None:
        """`verify` says whether received bytes are hashed and compared; None: only those that came over a network."""
        self._hello = {"client": client, "host": host, "host_version": host_version}
        self._driver = driver
        self._verify = verify
        self._local = False
        self.welcome: Optional[messages.Welcome] = None
        """What the bridge said to the hello; None while there is no conversation."""
        self.generators: list[messages.Generator] = []
        self.hosts: list[messages.HostRow] = []
        self.watched: list[messages.WatchedFile] = []
        self.limits = messages.Limits()
        self.session = ""
        self.cursor = 0
        self.jobs = JobTable(driver)
        self.requests = Requests()
        self.transfers = Transfers()
        self.spool = Spool()
        self.watches = Watches(self.request, self.new_id, self._stop_transfer)
        self._placed: list[tuple[Part, memoryview]] = []  # the chunk that is being received into its place
        self.lives = Lives(
            driver, request=self.request, new_id=self.new_id, say=self._say,
            connected=lambda: self.welcome is not None,
        )  # fmt: skip
        self.uploads: dict[str, Upload] = {}
        self.closing = ""
        """Why the bridge said that it will close the connection; empty when it did not."""
        self.fatal: Optional[Refused] = None
        """The refusal that ends the connection."""
        self.refusals: deque[Refused] = deque(maxlen=16)
        """Refusals that concern no request that is still open, newest last."""
        self._submitted: dict[str, Job] = {}
        self._pushed: dict[str, set[str]] = {}  # job id -> digests whose files come unasked on this connection
        self._orphans = Orphans(self.request, self.new_id, self.watches.over)
        self._out: deque[bytes] = deque()
        self._prefix = uuid.uuid4().hex[:12]
        self._count = 0
        self._pings = self.ponged = 0
        if bookmark:
            self._restore(bookmark)

    # ------------------------------------------------------------------------------- connection

    def begin(self, disk_proof: str = "", *, local: bool = False) -> None:
        """A connection stands: say hello. `local`: it does not leave this machine."""
        self._local = local
        self.closing, self.fatal = "", None
        self._out.clear()
        hello = {"type": "hello", "protocol": messages.PROTOCOL, **self._hello, "disk_proof": disk_proof}
        if self.session:
            hello.update(session=self.session, cursor=self.cursor)
        self._say(hello)

    def lost(self) -> None:
        """The connection is gone; what was on its way will be asked for again."""
        self.welcome = None
        self._out.clear()
        self._placed.clear()
        self.transfers.drop_all()
        self.spool.memory.clear()  # nobody knows when the next file comes
        self.lives.lost()
        self.watches.lost()
        for upload in self.uploads.values():
            upload.lost()
        for job_id, digests in self._pushed.items():
            job = self.jobs.named(job_id)
            for digest in digests:
                self._ask_again(job, digest)
        self._pushed.clear()

    def next_frame(self) -> Optional[bytes]:
        """The next frame to send; None when there is nothing to say now."""
        if self._out:
            return self._out.popleft()
        credit = self.transfers.credit(all_of_it=not self.transfers.active)
        if credit:
            return encode({"type": "asset.credit", "size_bytes": credit})
        live = self.lives.next_frame(local=self._local)
        if live is not None:
            return live
        for upload in self.uploads.values():
            if upload.sending:
                chunk = upload.next_chunk(self.limits.chunk_bytes)
                if chunk is not None:
                    return chunk
        return None

    def work(self) -> bool:
        """One small step of work that waits for nobody (hashing, reading); False when there is none."""
        if self.watches.work():
            return True
        for upload in self.uploads.values():
            if not upload.digest and not upload.done:
                if upload.hash_step():
                    self._offer(upload)
                return True
        return False

    # ----------------------------------------------------------------------------------- saying

    def new_id(self) -> str:
        """A request id that no other client makes."""
        self._count += 1
        return f"{self._prefix}-{self._count}"

    def submit(self, message: Mapping[str, Any], *, host: str, formats: Mapping[str, str]) -> Job:
        """Ask for a job; `message` holds the fields of `job.submit` but for its ids and delivery."""
        request_id = self.new_id()
        whole: dict[str, Any] = {"type": "job.submit", "request_id": request_id, **message}
        if host:
            whole["deliver"] = {"host": host, "formats": dict(formats)}
        frame = encode(whole)
        if len(frame) > self.limits.frame_bytes:
            raise ScenecastError(
                f"the request takes {len(frame)} bytes, the bridge accepts {self.limits.frame_bytes}",
                remedy="Send large values as uploaded inputs.",
            )
        job = Job(self._driver, request_id=request_id, generator=whole["generator"], label=whole.get("label", ""))
        job.params, job.host, job.formats = dict(whole.get("params", {})), host, dict(formats)
        job.cloud = GrowingCloud() if whole.get("growth") else None
        self._submitted[request_id] = job
        self.request(whole, Reply(), frame)
        return job

    def request(self, message: Mapping[str, Any], reply: Reply[Any], frame: bytes = b"") -> None:
        """Say something that is answered under its `request_id`, again on every new connection until it is.

        `frame` is the message encoded, where that has been done.
        """
        self.requests.add(message["request_id"], message, reply)
        if self.welcome is not None:
            self._out.append(frame or encode(message))

    def fetch(
        self, digest: str, host: str, formats: Mapping[str, str], *, progressive: bool = False
    ) -> Reply[Delivery]:
        """Ask for an asset's files in a host's conventions."""
        reply: Reply[Delivery] = Reply()
        ask: dict[str, Any] = {"type": "asset.fetch", "digest": digest, "host": host, "formats": dict(formats)}
        if progressive:
            ask["progressive"] = True
        self.request({**ask, "request_id": self.new_id()}, reply)
        return reply

    def deliver(self, job: Job) -> list[Reply[Delivery]]:
        """The files of all the job's assets: those that come unasked, and the others asked for now."""
        for row in job.assets:
            known = job.deliveries.get(row.digest)
            if known is None or (known.done and known.error is not None):
                job.deliveries[row.digest] = self.fetch(row.digest, job.host or "neutral", job.formats)
        return [job.deliveries[row.digest] for row in job.assets]

    def cancel(self, job: Job, *, any_owner: bool = False) -> None:
        """Ask for a job's end; one that was never accepted and cannot be reached ends here."""
        if job.over:
            return
        job.cancel_wanted = True
        if job.id:
            if self.welcome is not None:
                self._say({"type": "job.cancel", "job_id": job.id, "any_owner": any_owner})
        elif self.welcome is None and self.requests.answered(job.request_id) is not None:
            self._submitted.pop(job.request_id, None)
            job.end("cancelled", JobCancelled("cancelled before the bridge was told of it"))

    def steer(self, job: Job, action: str, *, any_owner: bool = False) -> None:
        """Ask for a job to be paused, resumed or finished. Raises `ScenecastError` when it cannot be asked now."""
        if job.over or not job.id or self.welcome is None:
            why = f"it is {job.state}" if job.over else "the bridge has not answered yet"
            raise ScenecastError(f"the job cannot be asked to {action}: {why}")
        self._say({"type": "job.steer", "job_id": job.id, "action": action, "any_owner": any_owner})

    def _stop_transfer(self, transfer: str) -> None:
        if self.welcome is not None:
            self._say({"type": "asset.stop", "transfer": transfer})

    def upload(self, source: Source, *, name: str = "", media_type: str = "") -> Upload:
        """Offer a file as an input; a folder of photographs is packed into the spool first, which blocks."""
        upload = prepared(self.new_id(), source, name=name, media_type=media_type, spool=self.spool)
        limit = self.limits.upload_bytes
        if self.welcome is not None and limit and upload.size_bytes > limit:
            upload.fail(ScenecastError(f"{upload.name} has {upload.size_bytes} bytes, the bridge takes {limit}"))
            return upload
        self.uploads[upload.request_id] = upload
        upload.then(lambda: self._forget(upload))
        return upload

    def _forget(self, upload: Upload) -> None:
        self.uploads.pop(upload.request_id, None)

    def ping(self) -> int:
        """Ask for a sign of life; `ponged` reaches the number returned when it comes."""
        self._pings += 1
        self._say({"type": "ping", "id": self._pings})
        return self._pings

    def _ponged(self, message: messages.Pong) -> None:
        self.ponged = max(self.ponged, message.id)

    def _offer(self, upload: Upload) -> None:
        if self.welcome is not None and upload.digest:
            self._say(upload.offer())

    def _say(self, message: Mapping[str, Any]) -> None:
        self._out.append(encode(message))

    # ---------------------------------------------------------------------------------- hearing

    def divert(self, begun: memoryview, size_bytes: int) -> Optional[memoryview]:
        """Where the rest of a frame that has begun to arrive belongs, when it is a chunk of a file in memory."""
        try:
            message, payload = decode_frame(begun)
        except BadMessage:
            return None  # judged when all of it is there
        delivery = self.transfers.active.get(message.transfer) if isinstance(message, messages.AssetChunk) else None
        if delivery is None or not isinstance(message, messages.AssetChunk):
            return None
        place = delivery.place(message, size_bytes - len(begun) + len(payload))
        if place is None:
            return None
        place[: len(payload)] = payload
        self._placed = [(message, place)]
        return place[len(payload) :]

    def receive(self, frame: memoryview, diverted: memoryview = _NOTHING) -> None:
        """Take one frame; `diverted` is the part of it that went where `divert` said.

        Raises `BadMessage` when it is not what the protocol allows.
        """
        message, payload = self._placed.pop() if len(diverted) else decode_frame(frame)
        if isinstance(message, messages.JobEvent):
            self._event(message)
        elif isinstance(message, messages.AssetChunk):
            self._chunk(message, payload)
        elif isinstance(message, messages.JobPreview):
            self.jobs.named(message.job_id).previewed(message, bytes(payload))
        elif isinstance(message, messages.LiveImage):
            self.lives.shown(message, payload)
        else:
            hear = _HEAR[type(message)]
            hear(self, message)
        if self.welcome is None and not self.closing and self.fatal is None:
            raise BadMessage(f"expected welcome first, got {type(message).__name__}")

    def _welcomed(self, message: messages.Welcome) -> None:
        if message.protocol != messages.PROTOCOL:
            raise BadMessage(f"the bridge speaks protocol {message.protocol}, this client {messages.PROTOCOL}")
        forgotten = bool(self.session) and not message.resumed
        self.welcome, self.session, self.limits = message, message.session, message.limits
        self.generators, self.hosts, self.watched = message.generators, message.hosts, message.watched
        self.transfers.follow(window_bytes=self.limits.credit_bytes, chunk_bytes=self.limits.chunk_bytes)
        if forgotten or not message.resumed:
            self.cursor = 0
        for ask in self.requests.messages():
            self._say(ask)
        for upload in self.uploads.values():
            self._offer(upload)
        for job in self.jobs.unfinished():
            if job.cancel_wanted:
                self.cancel(job)
        if forgotten:
            self._orphans.jobs = list(self.jobs.unfinished())
        self.ask_after_orphans()

    def _catalog(self, message: messages.Catalog) -> None:
        self.generators, self.watched = message.generators, message.watched
        self._answer(message.request_id, message)

    def _answer(self, request_id: str, value: Any) -> None:
        pending = self.requests.answered(request_id)
        if pending is not None:
            pending.reply.resolve(value)

    def _accepted(self, message: messages.JobAccepted) -> None:
        job = self._submitted.pop(message.request_id, None)
        if job is not None:
            self.jobs.claim(job, message)
            if job.over:
                self.watches.over(job)
            if job.cancel_wanted and not job.over:
                self.cancel(job)
        self._answer(message.request_id, message)

    def _event(self, message: messages.JobEvent) -> None:
        if message.seq <= self.cursor:
            return
        if message.seq != self.cursor + 1:
            raise BadMessage(f"event {message.seq} follows {self.cursor}: events are missing", path="$.seq")
        self.cursor = message.seq
        job = self.jobs.named(message.job_id)
        job.happened(message)
        if job.over:
            self.watches.over(job)
        if isinstance(message, messages.JobProduced) and job.host and message.asset.digest not in job.deliveries:
            job.deliveries[message.asset.digest] = Reply()
            self._pushed.setdefault(job.id, set()).add(message.asset.digest)

    def _files(self, message: messages.AssetFiles) -> None:
        reply = self._awaiting(message)
        if reply is None or reply.done:
            if message.transfer:
                self._say({"type": "asset.stop", "transfer": message.transfer})
            return
        self._pushed.get(message.job_id, set()).discard(message.digest)
        try:
            verify = not self._local if self._verify is None else self._verify
            delivery = Delivery(message, self.spool, verify=verify)
        except TransferFailed as error:
            self._end_delivery(message, reply, error)
            return
        if delivery.complete:
            self._end_delivery(message, reply, None, delivery)
            return
        self.transfers.active[message.transfer] = reply.partial = delivery
        if message.job_id:
            self._pushed.setdefault(message.job_id, set()).add(message.digest)

    def _awaiting(self, message: messages.AssetFiles) -> Optional[Reply[Delivery]]:
        """Where the files of an announcement are wanted; None when nobody asked."""
        if message.request_id:
            pending = self.requests.get(message.request_id)
            return pending.reply if pending else None
        job = self.jobs.by_id.get(message.job_id)
        if job is None:
            return None
        # Unasked files of a job that an earlier run of this program submitted are as welcome as any.
        reply = job.deliveries.get(message.digest)
        if reply is None:
            reply = job.deliveries[message.digest] = Reply()
        return reply

    def _end_delivery(
        self,
        message: messages.AssetFiles,
        reply: Reply[Delivery],
        error: Optional[ScenecastError],
        delivery: Optional[Delivery] = None,
    ) -> None:
        self.requests.answered(message.request_id)
        self._pushed.get(message.job_id, set()).discard(message.digest)
        if delivery is not None and error is None:
            reply.resolve(delivery)
        else:
            reply.fail(error or TransferFailed("the transfer ended early"))

    def _chunk(self, message: messages.AssetChunk, payload: memoryview) -> None:
        self.transfers.owe(len(payload))
        if self.watches.chunk(message, payload):
            return
        delivery = self.transfers.active.get(message.transfer)
        if delivery is None:  # stopped a moment ago; the credit is given back all the same
            return
        error: Optional[TransferFailed] = None
        try:
            delivery.take(message, payload)
        except TransferFailed as failure:
            error = failure
            self._say({"type": "asset.stop", "transfer": message.transfer})
        if error is not None or delivery.complete:
            self._transfer_over(message.transfer, error)

    def _transfer_over(self, transfer: str, error: Optional[ScenecastError]) -> None:
        delivery = self.transfers.active.pop(transfer)
        delivery.close()
        reply = self._awaiting(delivery.announced)
        if reply is not None:
            self._end_delivery(delivery.announced, reply, error, delivery)

    def _ask_again(self, job: Job, digest: str) -> None:
        """Files that came unasked were cut off: ask for them by name."""
        reply = job.deliveries.get(digest)
        if reply is None or reply.done:
            return
        ask = {"type": "asset.fetch", "request_id": self.new_id(), "digest": digest}
        self.request({**ask, "host": job.host or "neutral", "formats": job.formats}, reply)

    def _uploaded(self, message: messages.UploadState) -> None:
        upload = self.uploads.get(message.request_id)
        if upload is not None:
            upload.told(message)

    def _refused(self, message: messages.RefusedMessage) -> None:
        error = Refused(message.message, code=message.code, path=message.path, remedy=message.remedy)
        if message.fatal:
            self.fatal = error
            return
        name = message.request_id
        pending = self.requests.answered(name)
        job = self._submitted.pop(name, None)
        upload = next(
            (one for one in self.uploads.values() if name and name in (one.request_id, one.bridge_name)), None
        )
        if job is not None:
            job.end("failed", error)
        if pending is not None:
            pending.reply.fail(error)
        elif upload is not None:
            upload.fail(error)
        elif name in self.transfers.active:
            self._transfer_over(name, error)
        elif self.watches.refused(name, error):
            return
        elif name in self._pushed and message.path not in ("$.job_id", "$.action"):  # no answer to cancel or steer
            for digest in self._pushed.pop(name):
                self.jobs.named(name).deliveries[digest].fail(error)
        elif not self.lives.refused(name, error):
            self.refusals.append(error)

    def _closed(self, message: messages.Closing) -> None:
        self.closing = message.reason or "the bridge is stopping"

    def ask_after_orphans(self) -> None:
        """Look up the unfinished jobs of a session that the bridge no longer knows, if there are any."""
        if self.welcome is not None:
            self._orphans.ask_after()

    def bookmark(self) -> Bookmark:
        """Where this session stands, as JSON values; a later process that begins with it misses nothing."""
        unanswered = [ask for ask in self.requests.messages() if ask["type"] == "job.submit"]
        jobs = [kept(job) for job in self.jobs.unfinished()]
        return {"version": 1, "session": self.session, "cursor": self.cursor, "submits": unanswered, "jobs": jobs}

    def _restore(self, bookmark: Bookmark) -> None:
        if bookmark.get("version") != 1:
            raise ScenecastError("the bookmark is of another version", remedy="Connect without it.")
        self.session, self.cursor = str(bookmark["session"]), int(bookmark["cursor"])
        for row in bookmark["jobs"]:
            put_back(self.jobs.named(row["job_id"]), row)
        for ask in bookmark["submits"]:
            job = Job(self._driver, request_id=ask["request_id"], generator=ask["generator"])
            put_back_submit(job, ask)
            self._submitted[job.request_id] = job
            self.requests.add(job.request_id, ask, Reply())

    def all_jobs(self) -> list[Job]:
        """Every job known here, accepted or not."""
        return [*self.jobs.by_id.values(), *self._submitted.values()]


_ANSWERS = (messages.JobPage, messages.StoreCollected, messages.JobRated, messages.LiveOpened, messages.GrowthFiles)
_HEAR: Mapping[type[Part], Callable[[Protocol, Any], None]] = {
    **dict.fromkeys(_ANSWERS, lambda self, message: self._answer(message.request_id, message)),
    messages.Welcome: Protocol._welcomed,
    messages.Catalog: Protocol._catalog,
    messages.JobAccepted: Protocol._accepted,
    messages.JobProgress: lambda self, message: self.jobs.named(message.job_id).progressed(message),
    messages.AssetFiles: Protocol._files,
    messages.UploadState: Protocol._uploaded,
    messages.Pong: Protocol._ponged,
    messages.RefusedMessage: Protocol._refused,
    messages.Closing: Protocol._closed,
    messages.LiveState: lambda self, message: self.lives.told(message),
    messages.LiveClosed: lambda self, message: self.lives.ended(message),
    messages.JobSteered: lambda self, message: self.jobs.named(message.job_id).stands(message),
    messages.JobGrown: lambda self, message: self.watches.told(self.jobs.named(message.job_id), message),
}
