"""What was accepted and what became of it: SQLite, one transaction for a state and the events that tell of it.

WAL with synchronous=NORMAL survives the death of any process; a power cut may lose the last moments, never damage
the rest (sqlite.org/pragma.html#pragma_synchronous). All methods are called on the event loop and take some 20 to
60 microseconds. An in-memory record is changed only after its row has been committed.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bridge.disk import DISK_FULL
from bridge.errors import StoreFull
from bridge.messages import AssetRow, JobEventMessage, JobState
from bridge.records import COLUMNS, JobRecord, column, record_from
from bridge.schema import migrate

RESERVE_BYTES = 1 << 20
"""Kept aside on the disk, so that a full one does not keep us from writing down how jobs ended."""

log = logging.getLogger("bridge.ledger")

COMMITS_PER_CHECKPOINT = 200
"""Some 6 MB of log; reading it back after a crash takes a few milliseconds."""

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM job"
_INSERTED = COLUMNS[1:]
_INSERT = f"INSERT INTO job ({', '.join(_INSERTED)}) VALUES ({', '.join('?' * len(_INSERTED))})"
_events: msgspec.msgpack.Decoder[JobEventMessage] = msgspec.msgpack.Decoder(JobEventMessage)
_encode_event = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True)
class Result:
    """One asset of a job, under the name its generator gave it."""

    name: str
    asset: AssetRow
    provenance: Mapping[str, Any]


class Ledger:
    """The durable side of the bridge, in one SQLite file; one process writes it.

    With `fsync` an accepted job survives a power cut too, at 2 to 8 ms a transaction.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        os.chmod(path, 0o600)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
        # the log is copied into the file by a thread, not by every so many-th commit: that one would wait for the disk
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        self._path = path
        self._commits = 0
        self._copying: threading.Thread | None = None
        try:
            migrate(self._db)
        except BaseException:
            self._db.close()
            raise
        self._reserve = path.with_name(path.name + ".reserve")
        self._seqs: dict[str, int] = {}
        self._keep_reserve()

    def close(self) -> None:
        """Close the file; everything committed stays."""
        if self._copying is not None:
            self._copying.join()
        self._db.close()

    # ------------------------------------------------------------------------------------ sessions

    def open_session(self, session: str, *, client: str, host: str) -> int | None:
        """Note that a session is used again; its newest event's number, or None when it is not known."""
        with self._transaction():
            self._db.execute(
                "UPDATE session SET client = ?, host = ?, seen = ? WHERE id = ?", (client, host, time.time(), session)
            )
        return self.newest_seq(session)

    def add_session(self, session: str, *, client: str, host: str) -> None:
        """A new session with no events yet."""
        now = time.time()
        with self._transaction():
            self._db.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?, 0)", (session, client, host, now, now))
        self._seqs[session] = 0

    def newest_seq(self, session: str) -> int | None:
        """Number of a session's newest event, 0 when it has none; None for an unknown session."""
        if session not in self._seqs:
            row = self._db.execute("SELECT seq FROM session WHERE id = ?", (session,)).fetchone()
            if row is None:
                return None
            self._seqs[session] = row[0]
        return self._seqs[session]

    def events_after(self, session: str, cursor: int, limit: int = -1) -> list[JobEventMessage]:
        """A session's events above `cursor`, in order, exactly as first told; the first `limit` unless that is -1."""
        rows = self._db.execute(
            "SELECT body FROM event WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?", (session, cursor, limit)
        ).fetchall()
        return [_events.decode(body) for (body,) in rows]

    # ---------------------------------------------------------------------------------------- jobs

    def add_job(self, record: JobRecord, events: Sequence[JobEventMessage], results: Sequence[Result] = ()) -> None:
        """Write a new job and its first events; on return it survives any process's death. Raises `StoreFull`."""
        self._keep_reserve()
        with self._transaction():
            values = [column(name, getattr(record, name)) for name in _INSERTED]
            number = self._db.execute(_INSERT, values).lastrowid
            seqs = self._write_events(record, events)
            self._write_results(record, results)
        self._told(record, seqs)
        record.number = number or 0

    def change(
        self,
        record: JobRecord,
        events: Sequence[JobEventMessage] = (),
        results: Sequence[Result] = (),
        **changes: Any,
    ) -> None:
        """Change a job's columns, number and write its events and list its results, all or nothing.

        The events get their `seq` and `time` here; `record` is brought up to date after the commit. When the disk is
        full the reserve is given up for it; raises `StoreFull` when that does not help either.
        """
        try:
            seqs = self._write_change(record, events, results, changes)
        except StoreFull:
            if not self._reserve.exists():
                raise
            self._reserve.unlink()
            seqs = self._write_change(record, events, results, changes)
        self._told(record, seqs)
        for name, value in changes.items():
            setattr(record, name, value)

    def _write_change(
        self,
        record: JobRecord,
        events: Sequence[JobEventMessage],
        results: Sequence[Result],
        changes: Mapping[str, Any],
    ) -> int:
        with self._transaction():
            if changes:
                self._db.execute(
                    f"UPDATE job SET {', '.join(f'{name} = ?' for name in changes)} WHERE number = ?",
                    [*(column(name, value) for name, value in changes.items()), record.number],
                )
            self._write_results(record, results)
            return self._write_events(record, events)

    def job(self, job_id: str) -> JobRecord | None:
        """One job."""
        return self._one("WHERE job_id = ?", (job_id,))

    def job_by_request(self, session: str, request_id: str) -> JobRecord | None:
        """The job that a session's request became."""
        return self._one("WHERE session = ? AND request_id = ?", (session, request_id))

    def finished_with_key(self, key: str) -> JobRecord | None:
        """The newest finished job that did the same work."""
        return self._one("WHERE key = ? AND state = 'finished' ORDER BY number DESC LIMIT 1", (key,))

    def unfinished(self) -> list[JobRecord]:
        """Jobs that are queued or running, in the order they were accepted."""
        rows = self._db.execute(f"{_SELECT} WHERE state IN ('queued', 'running') ORDER BY number").fetchall()
        return [record_from(row) for row in rows]

    def page(self, *, session: str | None, before: str, states: Sequence[JobState], limit: int) -> list[JobRecord]:
        """Jobs, newest first: of one session or of all, older than the job `before`, in any of `states` if given."""
        conditions, values = ["1"], list[Any]()
        if session is not None:
            conditions.append("session = ?")
            values.append(session)
        if before:
            conditions.append("number < (SELECT number FROM job WHERE job_id = ?)")
            values.append(before)
        if states:
            conditions.append(f"state IN ({', '.join('?' * len(states))})")
            values.extend(state.value for state in states)
        sql = f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY number DESC LIMIT ?"
        return [record_from(row) for row in self._db.execute(sql, (*values, limit)).fetchall()]

    def results(self, job_id: str) -> list[Result]:
        """A job's assets in the order they were made."""
        rows = self._db.execute(
            "SELECT job_asset.name, digest, kind, asset.name, size_bytes, provenance FROM job_asset"
            " JOIN asset USING (digest) WHERE job_id = ? ORDER BY position",
            (job_id,),
        ).fetchall()
        return [
            Result(name, AssetRow(digest=digest, kind=kind, name=title, size_bytes=size), msgspec.json.decode(made))
            for name, digest, kind, title, size, made in rows
        ]

    def keep_results(self, record: JobRecord, results: Sequence[Result]) -> None:
        """List exactly these as a job's results: what an earlier attempt made under other names is listed no more."""
        with self._transaction():
            self._db.execute("DELETE FROM job_asset WHERE job_id = ?", (record.job_id,))
            self._write_results(record, results)

    def rate(self, job_id: str, digest: str, score: int, tags: Sequence[str]) -> None:
        """Keep the user's judgement of one asset of a job, in place of an earlier one."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO rating VALUES (?, ?, ?, ?, ?)",
                (job_id, digest, score, _encode_json(list(tags)).decode(), time.time()),
            )

    def ratings(self) -> Iterator[tuple[str, str, int, list[str]]]:
        """All ratings as (job id, digest, score, tags)."""
        for job_id, digest, score, tags in self._db.execute("SELECT job_id, digest, score, tags FROM rating"):
            yield job_id, digest, score, msgspec.json.decode(tags)

    # --------------------------------------------------------------------------------------- facts

    def last_used(self, digest: str) -> float | None:
        """When a job last made an asset or took it over from an earlier job, in seconds since 1970."""
        row = self._db.execute("SELECT last_used FROM asset WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else float(row[0])

    def fact(self, name: str) -> str:
        """A remembered word, empty when there is none."""
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Keep a word over restarts."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def counts(self) -> dict[str, int]:
        """How many jobs there are, by state."""
        return dict(self._db.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())

    # ------------------------------------------------------------------------------------- writing

    def _write_events(self, record: JobRecord, events: Sequence[JobEventMessage]) -> int:
        seq = self.newest_seq(record.session)
        if seq is None:
            raise KeyError(record.session)
        if not events:
            return seq
        now = time.time()
        rows = []
        for event in events:
            seq += 1
            event.seq, event.time = seq, now
            kind = event.__struct_config__.tag
            rows.append((record.session, seq, record.job_id, kind, _encode_event(event)))
        self._db.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", rows)
        self._db.execute("UPDATE session SET seq = ? WHERE id = ?", (seq, record.session))
        return seq

    def _write_results(self, record: JobRecord, results: Sequence[Result]) -> None:
        now = time.time()
        for result in results:
            row = result.asset
            self._db.execute(
                "INSERT INTO asset VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (digest) DO UPDATE SET last_used = excluded.last_used",
                (row.digest, row.kind, row.name, row.size_bytes, _encode_json(result.provenance).decode(), now, now),
            )
            self._db.execute(
                "INSERT OR REPLACE INTO job_asset VALUES"
                " (?, ?, (SELECT count(*) FROM job_asset WHERE job_id = ? AND name != ?), ?)",
                (record.job_id, result.name, record.job_id, result.name, row.digest),
            )

    def _told(self, record: JobRecord, seq: int) -> None:
        self._seqs[record.session] = seq

    def _one(self, condition: str, values: Sequence[Any]) -> JobRecord | None:
        row = self._db.execute(f"{_SELECT} {condition}", values).fetchone()
        return None if row is None else record_from(row)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
                self._count_commit()
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE):
                raise StoreFull(
                    "the disk that holds the ledger is full",
                    remedy="free space on the disk; jobs accepted so far are kept",
                ) from error
            raise

    def _count_commit(self) -> None:
        self._commits += 1
        if self._commits % COMMITS_PER_CHECKPOINT == 0 and (self._copying is None or not self._copying.is_alive()):
            self._copying = threading.Thread(target=_checkpoint, args=(self._path,), name="checkpoint", daemon=True)
            self._copying.start()

    def _keep_reserve(self) -> None:
        """Have the reserve on the disk again. Raises `StoreFull`: then nothing new should be accepted."""
        if self._reserve.exists():
            return
        draft = self._reserve.with_name(self._reserve.name + ".draft")
        try:
            draft.write_bytes(bytes(RESERVE_BYTES))
            os.rename(draft, self._reserve)
        except OSError as error:
            draft.unlink(missing_ok=True)
            if error.errno not in DISK_FULL:
                raise
            raise StoreFull("the disk that holds the ledger is full", remedy="free space on the disk") from error


def _checkpoint(path: Path) -> None:
    """Copy what the log holds into the file, beside the writer and without making it wait."""
    try:
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()
    except sqlite3.Error as error:  # nothing is lost: the log keeps it, and the next one tries again
        log.warning("the ledger's log could not be copied: %s", error)
