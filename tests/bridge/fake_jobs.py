"""A scripted stand-in for `bridge.jobs.Jobs`, and the house around it: events are made by the test, kept for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.errors import TooManySessions, UnknownGenerator, UnknownJob, UnknownLive
from bridge.ledger import Result
from bridge.messages import (
    BridgeMessage,
    Deliver,
    GeneratorRow,
    HostRow,
    JobAccepted,
    JobCancel,
    JobEventMessage,
    JobList,
    JobPage,
    JobRate,
    JobRated,
    JobState,
    JobSteer,
    JobSubmit,
    Limits,
    LiveClose,
    LiveClosed,
    LiveFrame,
    LiveOpen,
    LiveOpened,
    StoreCollect,
    StoreCollected,
    WatchedFile,
)


class FakeJobs:
    """Sessions `s1`, `s2` … with a list of events each."""

    def __init__(self) -> None:
        self.events: dict[str, list[JobEventMessage]] = {}
        self.wishes: dict[str, Deliver] = {}
        self.submitted: dict[str, JobSubmit] = {}
        self.cancelled: list[str] = []
        self.steered: list[tuple[str, str]] = []
        self.stands: dict[str, list[BridgeMessage]] = {}
        self.page_answer = JobPage(request_id="", jobs=[])
        self.listener: Callable[[str, BridgeMessage, bytes | memoryview], None] = lambda *_: None

    def happen(self, session: str, kind: Callable[..., JobEventMessage], job_id: str = "j1", **fields: Any) -> None:
        """One more event, kept first and then told, as the real one does it."""
        event = kind(seq=len(self.events[session]) + 1, job_id=job_id, time=1.0, **fields)
        self.events[session].append(event)
        self.listener(session, event, b"")

    def open_session(self, *, client: str, host: str, session: str) -> tuple[str, bool, int]:
        if session in self.events:
            return session, True, len(self.events[session])
        name = f"s{len(self.events) + 1}"
        self.events[name] = []
        return name, False, 0

    def events_after(self, session: str, cursor: int, limit: int = -1) -> list[JobEventMessage]:
        events = self.events[session][cursor:]
        return events if limit < 0 else events[:limit]

    def submit(self, session: str, request: JobSubmit) -> JobAccepted:
        if request.generator == "no.such":
            raise UnknownGenerator("no generator is called 'no.such'", path="$.generator", remedy="ask for the catalog")
        if request.generator == "our.defect":
            raise ZeroDivisionError
        duplicate = request.request_id in self.submitted
        self.submitted[request.request_id] = request
        job_id = f"job-{request.request_id}"
        if request.deliver is not None:
            self.wishes[job_id] = request.deliver
        return JobAccepted(
            request_id=request.request_id, job_id=job_id, state=JobState.QUEUED, seed=7, duplicate=duplicate
        )

    def cancel(self, session: str, request: JobCancel) -> None:
        if not request.job_id.startswith("job-"):
            raise UnknownJob(f"no job {request.job_id!r}", path="$.job_id")
        self.cancelled.append(request.job_id)

    def steer(self, session: str, request: JobSteer) -> None:
        self.steered.append((request.job_id, request.action))

    def standing(self, session: str) -> list[BridgeMessage]:
        return self.stands.get(session, [])

    def job(self, job_id: str) -> None:
        return None

    def results(self, job_id: str) -> list[Result]:
        return []

    def page(self, session: str, request: JobList) -> JobPage:
        self.page_answer.request_id = request.request_id
        return self.page_answer

    async def collect(self, request: StoreCollect) -> StoreCollected:
        if request.down_to_bytes == 13:
            raise OSError(28, "No space left on device")
        return StoreCollected(request_id=request.request_id, assets=1, files=2, freed_bytes=3, left_bytes=4)

    def rate(self, session: str, request: JobRate) -> JobRated:
        return JobRated(request_id=request.request_id)

    def deliver_wish(self, job_id: str) -> Deliver | None:
        return self.wishes.get(job_id)


class FakeHouse:
    """A bridge without anything in it."""

    server = "scenecast test"
    proof = "the-proof"

    def __init__(self, most: int = 100) -> None:
        self.limits = Limits(queued_jobs=5)
        self.most = most
        self.open = 0

    def generators(self) -> list[GeneratorRow]:
        return [GeneratorRow(id="a.b", title="A", promise="Makes B.", gives=["image"], takes=[])]

    def hosts(self) -> list[HostRow]:
        return [HostRow(name="web", title="Web", formats={"image": ["png"]})]

    def watched(self) -> list[WatchedFile]:
        return []

    def admit(self, session: str) -> None:
        if self.open >= self.most:
            raise TooManySessions(f"{self.most} clients are connected", remedy="close one of them")
        self.open += 1


class FakeLive:
    """Live sessions that only take note."""

    def __init__(self) -> None:
        self.fed: list[tuple[int, bytes]] = []
        self.closed: list[str] = []

    def open(self, request: LiveOpen) -> LiveOpened:
        if request.generator != "live.fake":
            raise UnknownGenerator(f"no generator is called {request.generator!r}", path="$.generator")
        return LiveOpened(request_id=request.request_id, live="l1")

    def feed(self, message: LiveFrame, payload: memoryview) -> None:
        if message.live != "l1":
            raise UnknownLive(f"there is no live session {message.live}", path="$.live")
        self.fed.append((message.frame, bytes(payload)))

    def close(self, request: LiveClose) -> LiveClosed | None:
        self.closed.append(request.live)
        return LiveClosed(live=request.live) if len(self.closed) > 1 else None
