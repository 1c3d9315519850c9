"""The ledger: durable, numbered without gaps, the same live and replayed, and readable by later versions."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.errors import StoreFull
from bridge.ledger import Ledger, Result
from bridge.messages import (
    AssetRow,
    JobCancelled,
    JobEvent,
    JobEventMessage,
    JobFinished,
    JobNoted,
    JobProduced,
    JobQueued,
    JobStarted,
    JobState,
    Priority,
)
from bridge.records import COLUMNS, JobRecord, PlanStep
from bridge.schema import STEPS, VERSION, LedgerTooNew

NUMBERS = itertools.count()


def record(session: str, **changes: Any) -> JobRecord:
    number = next(NUMBERS)
    values: dict[str, Any] = {
        "job_id": f"j{number}",
        "session": session,
        "request_id": f"r{number}",
        "fingerprint": "f",
        "generator": "fake.script",
        "version": 1,
        "plan": (PlanStep(generator="fake.script", version=1),),
        "params": {"size_px": 8, "text": "naïve ☃", "x": 0.1},
        "inputs": {"picture": "0" * 64},
        "seed": 2**32 - 1,
        "priority": Priority.FINAL,
        "label": "",
        "key": "",
        "fresh": False,
        "deliver": None,
        "preview": None,
        "created": 12.5,
        **changes,
    }
    return JobRecord(**values)


def queued(job: JobRecord) -> JobEventMessage:
    return JobQueued(seq=0, job_id=job.job_id, time=0)


def result(name: str, digit: str) -> Result:
    return Result(name, AssetRow(digest=digit * 64, kind="image", name=f"asset {digit}", size_bytes=5), {"seed": 1})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Ledger(tmp_path / "ledger.db")
    one.add_session("s", client="c", host="h")
    yield one
    one.close()


def test_a_job_comes_back_as_it_went_in(ledger: Ledger) -> None:
    job = record("s")
    ledger.add_job(job, [queued(job)])
    assert job.number == 1
    for found in (ledger.job(job.job_id), ledger.job_by_request("s", job.request_id), ledger.unfinished()[0]):
        assert found == job
    assert ledger.job("nobody") is None and ledger.job_by_request("t", job.request_id) is None


def test_a_change_and_its_events_are_one(ledger: Ledger, tmp_path: Path) -> None:
    job = record("s")
    ledger.add_job(job, [queued(job)])
    ledger.change(job, [JobCancelled(seq=0, job_id=job.job_id, time=0)], state=JobState.CANCELLED)
    second_end: list[JobEventMessage] = [
        JobNoted(seq=0, job_id=job.job_id, time=0, text="x"),
        JobFinished(seq=0, job_id=job.job_id, time=0, assets=[]),
    ]
    with pytest.raises(sqlite3.IntegrityError):
        ledger.change(job, second_end, [result("a", "1")], state=JobState.FINISHED)
    assert job.state is JobState.CANCELLED and ledger.job(job.job_id) == job
    assert [event.seq for event in ledger.events_after("s", 0)] == [1, 2] and ledger.newest_seq("s") == 2
    assert not ledger.results(job.job_id), "nothing of a change that failed is kept"


def test_one_request_is_one_job(ledger: Ledger) -> None:
    job = record("s", request_id="once")
    ledger.add_job(job, [queued(job)])
    with pytest.raises(sqlite3.IntegrityError):
        ledger.add_job(record("s", request_id="once"), [])
    assert len(ledger.unfinished()) == 1


def test_results_are_listed_in_order_and_found_by_key(ledger: Ledger) -> None:
    job = record("s", key="k")
    ledger.add_job(job, [queued(job)])
    ledger.change(job, [], [result("a", "1"), result("b", "2")])
    ledger.change(job, [], [result("c", "3")])
    assert [(r.name, r.asset.digest[0]) for r in ledger.results(job.job_id)] == [("a", "1"), ("b", "2"), ("c", "3")]
    assert ledger.finished_with_key("k") is None
    ledger.keep_results(job, [result("b", "4"), result("a", "1")])
    assert [(r.name, r.asset.digest[0]) for r in ledger.results(job.job_id)] == [("b", "4"), ("a", "1")]
    assert ledger.results(job.job_id)[0] == result("b", "4")
    ledger.change(job, state=JobState.FINISHED)
    found = ledger.finished_with_key("k")
    assert found is not None and found.job_id == job.job_id
    assert ledger.last_used("1" * 64) is not None and ledger.last_used("9" * 64) is None


def test_sessions_are_known_again(ledger: Ledger, tmp_path: Path) -> None:
    job = record("s")
    ledger.add_job(job, [queued(job)])
    other = Ledger(tmp_path / "ledger.db")
    assert other.open_session("s", client="new", host="h") == 1
    assert other.open_session("unknown", client="c", host="h") is None
    assert other.newest_seq("unknown") is None
    other.remember("fact", "word")
    assert ledger.fact("fact") == "word" and ledger.fact("none") == ""
    other.close()


def test_what_was_accepted_survives_a_kill(tmp_path: Path) -> None:
    program = """
import os, signal, sys
sys.path.insert(0, "tests/bridge")
from pathlib import Path
from bridge.ledger import Ledger
from test_ledger import queued, record
ledger = Ledger(Path(sys.argv[1]))
ledger.add_session("s", client="c", host="h")
for _ in range(50):
    job = record("s")
    ledger.add_job(job, [queued(job)])
    print(job.job_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).resolve().parents[2]
    path = tmp_path / "ledger.db"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        cwd=root,
        env=environment,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    ledger = Ledger(path)
    assert [job.job_id for job in ledger.unfinished()] == ran.stdout.split() and len(ran.stdout.split()) == 50
    assert len(ledger.events_after("s", 0)) == 50
    ledger.close()


def test_a_full_disk_is_told_and_the_reserve_lets_jobs_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.add_session("s", client="c", host="h")
    job = record("s")
    ledger.add_job(job, [queued(job)])
    # SQLite answers with SQLITE_FULL at its page limit just as it does on a full disk
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull, match="full") as caught:
        for _ in range(1000):
            more = record("s", params={"text": "x" * 3000})
            ledger.add_job(more, [queued(more)])
    assert caught.value.remedy and ledger._reserve.exists()
    before = ledger.newest_seq("s")
    with pytest.raises(StoreFull):
        for _ in range(1000):
            ledger.change(job, [JobNoted(seq=0, job_id=job.job_id, time=0, text="y" * 3000)], error="e")
    assert not ledger._reserve.exists(), "it was given up for the sake of a job's end"
    ledger._db.execute("PRAGMA max_page_count = 1000000")
    ledger.change(job, [JobCancelled(seq=0, job_id=job.job_id, time=0)], state=JobState.CANCELLED)
    seqs = [event.seq for event in ledger.events_after("s", 0)]
    assert seqs == list(range(1, len(seqs) + 1)) and before is not None and seqs[-1] > before
    more = record("s")
    ledger.add_job(more, [queued(more)])
    assert ledger._reserve.exists()
    ledger.close()


def test_a_newer_ledger_is_refused_and_an_older_one_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert [row[1] for row in db.execute("PRAGMA table_info(job)")] == list(COLUMNS)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(LedgerTooNew, match="the ledger has version"):
        Ledger(path)


def test_a_step_that_fails_leaves_the_ledger_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.db"
    ledger = Ledger(path)
    ledger.add_session("s", client="c", host="h")
    ledger.close()
    good = "ALTER TABLE session ADD COLUMN colour TEXT NOT NULL DEFAULT '';"
    monkeypatch.setattr("bridge.schema.STEPS", (*STEPS, good + "CREATE TABLE session (x);"))
    monkeypatch.setattr("bridge.schema.VERSION", VERSION + 1)
    with pytest.raises(sqlite3.OperationalError):
        Ledger(path)
    monkeypatch.setattr("bridge.schema.STEPS", (*STEPS, good))
    ledger = Ledger(path)
    assert ledger.newest_seq("s") == 0
    assert "colour" in [row[1] for row in ledger._db.execute("PRAGMA table_info(session)")]
    ledger.close()


class LedgerMachine(RuleBasedStateMachine):
    """Whatever is written in whatever order: replay equals what was told live, also after opening the file again."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.db"
        self.ledger = Ledger(self.path)
        self.told: dict[str, list[JobEvent]] = {"a": [], "b": []}
        for session in self.told:
            self.ledger.add_session(session, client="c", host="h")
        self.open: dict[str, JobRecord] = {}
        self.over: dict[str, JobRecord] = {}

    @rule(session=st.sampled_from("ab"))
    def submit(self, session: str) -> None:
        job = record(session)
        event = queued(job)
        self.ledger.add_job(job, [event])
        self.told[session].append(event)
        self.open[job.job_id] = job

    @precondition(lambda self: self.open)
    @rule(data=st.data(), text=st.text(max_size=20), end=st.booleans())
    def move(self, data: st.DataObject, text: str, end: bool) -> None:
        job = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        made = result(f"r{len(text)}", "7")
        events: list[JobEventMessage] = [
            JobStarted(seq=0, job_id=job.job_id, time=0, attempt=job.attempts + 1),
            JobNoted(seq=0, job_id=job.job_id, time=0, text=text),
            JobProduced(seq=0, job_id=job.job_id, time=0, asset=made.asset),
        ]
        changes: dict[str, Any] = {"state": JobState.RUNNING, "attempts": job.attempts + 1, "notes": [*job.notes, text]}
        if end:
            events.append(JobFinished(seq=0, job_id=job.job_id, time=0, assets=[made.asset]))
            changes["state"] = JobState.FINISHED
            self.over[job.job_id] = self.open.pop(job.job_id)
        self.ledger.change(job, events, [made], **changes)
        self.told[job.session] += events

    @rule()
    def open_again(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.path)

    @invariant()
    def replay_is_what_was_told(self) -> None:
        for session, told in self.told.items():
            assert [event.seq for event in told] == list(range(1, len(told) + 1))
            assert self.ledger.events_after(session, 0) == told
            half = len(told) // 2
            assert self.ledger.events_after(session, half, 3) == told[half : half + 3]
            assert self.ledger.newest_seq(session) == len(told)

    @invariant()
    def rows_are_what_the_records_say(self) -> None:
        assert self.ledger.unfinished() == sorted(self.open.values(), key=lambda job: job.number)
        for job in self.over.values():
            assert self.ledger.job(job.job_id) == job
        everything = {**self.open, **self.over}
        pages = self.ledger.page(session=None, before="", states=[], limit=1000)
        assert [job.job_id for job in pages] == [
            job.job_id for job in sorted(everything.values(), key=lambda job: -job.number)
        ]

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
