from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import wire
from bridge.messages import (
    AssetCredit,
    AssetFetch,
    AssetRow,
    AssetStop,
    BridgeMessage,
    Catalog,
    CatalogGet,
    Closing,
    Deliver,
    GrowthGet,
    Hello,
    JobAccepted,
    JobCancel,
    JobEvent,
    JobGrown,
    JobList,
    JobNoted,
    JobPage,
    JobProduced,
    JobRow,
    JobState,
    JobSteer,
    JobSteered,
    JobSubmit,
    LiveClose,
    LiveClosed,
    LiveFrame,
    LiveOpen,
    LiveOpened,
    Message,
    Ping,
    Pong,
    Priority,
    Refused,
    UploadChunk,
    UploadOffer,
    Welcome,
)
from bridge.session import (
    CATCH_UP_EVENTS,
    WIRE_ERRORS_LIMIT,
    Action,
    Close,
    Fetch,
    Grow,
    Keep,
    Offered,
    Opened,
    Send,
    Session,
    State,
    Stop,
    Take,
)
from tests.bridge.fake_jobs import FakeHouse, FakeJobs, FakeLive

DIGEST = "a" * 64


def hello(**fields: Any) -> Hello:
    return Hello(**{"protocol": 1, "client": "test 1", **fields})


def said(actions: list[Action]) -> list[Message]:
    return [action.message for action in actions if isinstance(action, Send)]


def opened(jobs: FakeJobs | None = None, **fields: Any) -> tuple[Session, list[Action]]:
    session = Session(jobs=jobs or FakeJobs(), house=FakeHouse(), live=FakeLive())
    return session, session.receive(wire.encode(hello(**fields)))


def ask(session: Session, message: Message, payload: bytes = b"") -> list[Action]:
    return session.receive(wire.encode(message, payload))


def test_welcome_tells_session_catalog_and_limits() -> None:
    session, actions = opened()
    assert actions[0] == Opened("s1")
    (welcome,) = said(actions)
    assert isinstance(welcome, Welcome)
    assert (welcome.session, welcome.resumed, welcome.shares_disk, welcome.seq) == ("s1", False, False, 0)
    assert welcome.limits.queued_jobs == 5
    assert [row.id for row in welcome.generators] == ["a.b"]
    assert [row.name for row in welcome.hosts] == ["web"]
    assert session.state is State.OPEN


def test_what_no_event_tells_is_said_again_after_the_welcome() -> None:
    jobs = FakeJobs()
    session, _ = opened(jobs)
    stands: list[BridgeMessage] = [
        JobSteered(job_id="j", steered="paused"), JobGrown(job_id="j", stream="s", version=4, count=9)
    ]  # fmt: skip
    jobs.stands[session.id] = stands
    _, actions = opened(jobs, session=session.id)
    assert said(actions)[1:] == stands


@pytest.mark.parametrize(("proof", "shares"), [("the-proof", True), ("the-prooF", False), ("", False)])
def test_only_the_proof_proves_a_shared_disk(proof: str, shares: bool) -> None:
    session, actions = opened(disk_proof=proof)
    assert session.shares_disk is shares
    assert said(actions)[0].shares_disk is shares  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (wire.encode(Ping(id=1)), "wire.protocol"),
        (wire.encode(hello(protocol=2)), "wire.protocol"),
        (wire.encode(hello(protocol=0)), "wire.protocol"),
        (b"\xff", "wire.invalid"),
        ("text", "wire.invalid"),
    ],
)
def test_anything_but_a_good_hello_ends_the_connection_in_words(frame: bytes | str, code: str) -> None:
    session = Session(jobs=FakeJobs(), house=FakeHouse(), live=FakeLive())
    actions = session.receive(frame)
    (refused,) = said(actions)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.fatal) == (code, True)
    assert isinstance(actions[-1], Close)
    assert session.receive(wire.encode(hello())) == []


@pytest.mark.parametrize(("protocol", "older"), [(2, "bridge"), (0, "client")])
def test_a_mismatch_says_which_side_is_to_be_updated(protocol: int, older: str) -> None:
    session = Session(jobs=FakeJobs(), house=FakeHouse(), live=FakeLive())
    (refused,) = said(ask(session, hello(protocol=protocol)))
    assert older in refused.remedy  # type: ignore[attr-defined]


def test_a_full_house_refuses_and_closes() -> None:
    session = Session(jobs=FakeJobs(), house=FakeHouse(most=0), live=FakeLive())
    actions = ask(session, hello())
    assert said(actions)[0].code == "limit.sessions"  # type: ignore[attr-defined]
    assert isinstance(actions[-1], Close)


def test_requests_become_answers_or_actions() -> None:
    jobs = FakeJobs()
    session, _ = opened(jobs)
    assert said(ask(session, Ping(id=9))) == [Pong(id=9)]
    (accepted,) = said(ask(session, JobSubmit(request_id="r1", generator="a.b")))
    assert isinstance(accepted, JobAccepted)
    assert ask(session, JobCancel(job_id="job-r1")) == []
    assert jobs.cancelled == ["job-r1"]
    assert ask(session, AssetFetch(request_id="f", digest=DIGEST, host="web", formats={"image": "png"})) == [
        Fetch(DIGEST, Deliver(host="web", formats={"image": "png"}), request_id="f")
    ]
    fetch = AssetFetch(request_id="f", digest=DIGEST, host="neutral", progressive=True)
    assert ask(session, fetch) == [Fetch(DIGEST, Deliver(host="neutral", progressive=True), request_id="f")]
    assert ask(session, JobSteer(job_id="job-r1", action="pause")) == []
    assert jobs.steered == [("job-r1", "pause")]
    growth = GrowthGet(request_id="g", job_id="job-r1", stream="s", have=3)
    assert ask(session, growth) == [Grow(growth)]
    assert ask(session, AssetStop(transfer="t")) == [Stop("t")]
    assert ask(session, AssetCredit(size_bytes=5)) == [Take(5)]
    offer = UploadOffer(request_id="u", digest=DIGEST, size_bytes=3, media_type="image/png")
    assert ask(session, offer) == [Offered(offer)]
    (keep,) = ask(session, UploadChunk(upload="u", offset=0), b"abc")
    assert isinstance(keep, Keep)
    assert bytes(keep.data) == b"abc"
    (catalog,) = said(ask(session, CatalogGet(request_id="c")))
    assert isinstance(catalog, Catalog)
    assert catalog.request_id == "c"


def test_live_sessions_are_opened_fed_and_closed() -> None:
    live = FakeLive()
    session = Session(jobs=FakeJobs(), house=FakeHouse(), live=live)
    ask(session, hello())
    assert said(ask(session, LiveOpen(request_id="r", generator="live.fake"))) == [
        LiveOpened(request_id="r", live="l1")
    ]
    assert ask(session, LiveFrame(live="l1", frame=3), b"pixels") == []
    assert live.fed == [(3, b"pixels")]
    assert ask(session, LiveClose(live="l1")) == [], "the answer comes when nothing of it runs any more"
    assert said(ask(session, LiveClose(live="l1"))) == [LiveClosed(live="l1")]


@pytest.mark.parametrize(
    ("message", "code", "about"),
    [
        (LiveOpen(request_id="r", generator="no.such"), "request.generator", "r"),
        (LiveFrame(live="other", frame=1), "request.live", "other"),
        (JobSubmit(request_id="r", generator="no.such"), "request.generator", "r"),
        (JobSubmit(request_id="r", generator="our.defect"), "internal", "r"),
        (JobCancel(job_id="other"), "request.job", "other"),
        (hello(), "wire.protocol", ""),
    ],
)
def test_a_refusal_names_its_request_and_leaves_the_connection_open(message: Message, code: str, about: str) -> None:
    session, _ = opened()
    (refused,) = said(ask(session, message))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.request_id, refused.fatal) == (code, about, False)
    assert said(ask(session, Ping(id=1))) == [Pong(id=1)]


def test_undecodable_frames_are_borne_for_a_while() -> None:
    session, _ = opened()
    for _ in range(WIRE_ERRORS_LIMIT - 1):
        assert not said(session.receive(b"\xc1"))[0].fatal  # type: ignore[attr-defined]
    ask(session, Ping(id=1))
    for _ in range(WIRE_ERRORS_LIMIT - 1):
        session.receive(b"\xc1")
    assert isinstance(session.receive(b"\xc1")[-1], Close)
    assert session.state is State.CLOSED


def test_a_page_too_long_for_a_frame_is_cut_and_says_so() -> None:
    jobs = FakeJobs()
    row = JobRow(
        job_id="j",
        request_id="r",
        generator="a.b",
        state=JobState.FINISHED,
        priority=Priority.FINAL,
        params={"p": "x" * 10_000},
    )
    jobs.page_answer = JobPage(request_id="", jobs=[row] * 200)
    session, _ = opened(jobs)
    (page,) = said(ask(session, JobList(request_id="l", limit=200)))
    assert isinstance(page, JobPage)
    assert page.more
    assert 0 < len(page.jobs) < 200
    wire.encode(page)


def test_goodbye_says_why_once() -> None:
    session, _ = opened()
    assert said(session.goodbye("the bridge stops")) == [Closing(reason="the bridge stops")]
    assert session.goodbye("again") == []
    assert session.tell(Pong(id=1)) == []


def test_a_produced_asset_follows_its_event_when_the_job_wished_so() -> None:
    jobs = FakeJobs()
    session, _ = opened(jobs)
    ask(session, JobSubmit(request_id="r", generator="a.b", deliver=Deliver(host="unity")))
    told: list[Action] = []
    jobs.listener = lambda _, message, payload: told.extend(session.tell(message, payload))
    jobs.happen("s1", JobProduced, "job-r", asset=AssetRow(digest=DIGEST, kind="image"), name="front")
    assert isinstance(told[0], Send)
    assert told[1:] == [Fetch(DIGEST, Deliver(host="unity"), job_id="job-r", name="front")]


def test_a_cursor_ahead_of_the_ledger_begins_a_new_session() -> None:
    jobs = FakeJobs()
    opened(jobs)
    session, actions = opened(jobs, session="s1", cursor=5)
    welcome = next(message for message in said(actions) if isinstance(message, Welcome))
    assert (welcome.session, welcome.resumed) == ("s2", False)
    assert session.sent_seq == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("happen"), st.integers(1, 5)),
        st.tuples(st.just("drain"), st.integers(1, 3)),
        st.tuples(st.just("cut"), st.integers(0, 4)),
        st.tuples(st.just("full"), st.booleans()),
        st.tuples(st.just("flood"), st.integers(CATCH_UP_EVENTS - 1, CATCH_UP_EVENTS * 2 + 1)),
    ),
    max_size=40,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_no_event_is_lost_repeated_or_reordered(steps: list[tuple[str, int]]) -> None:
    """Against the plainest model: what the client has seen is a prefix of what happened, and in the end all of it.

    The client is cut off at any time, losing up to some messages that had left; it comes back with the last number
    it has seen. The outbox may be full at any time.
    """
    jobs = FakeJobs()
    room = True
    seen: list[int] = []

    def has_room() -> bool:
        return room

    session = Session(jobs=jobs, house=FakeHouse(), live=FakeLive(), has_room=has_room)

    def see(actions: list[Action]) -> None:
        for message in said(actions):
            if isinstance(message, JobEvent):
                assert message.seq == (seen[-1] if seen else 0) + 1
                seen.append(message.seq)

    jobs.listener = lambda _, message, payload: see(session.tell(message, payload))
    see(ask(session, hello()))
    for step, number in steps:
        if step in ("happen", "flood"):
            for _ in range(number):
                jobs.happen("s1", JobNoted, text="x")
        elif step == "drain":
            for _ in range(number):
                see(session.catch_up())
        elif step == "full":
            room = not number
        else:
            del seen[len(seen) - min(number, len(seen)) :]
            session = Session(jobs=jobs, house=FakeHouse(), live=FakeLive(), has_room=has_room)
            see(ask(session, hello(session="s1", cursor=seen[-1] if seen else 0)))
    room = True
    while session.behind:
        see(session.catch_up())
    assert seen == list(range(1, len(jobs.events["s1"]) + 1))
