"""The ledger's tables, as steps from one version to the next; a step that has been released never changes."""

from __future__ import annotations

import sqlite3

from bridge.errors import ScenecastError

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE session (
        id TEXT PRIMARY KEY, client TEXT NOT NULL, host TEXT NOT NULL,
        created REAL NOT NULL, seen REAL NOT NULL,
        seq INTEGER NOT NULL            -- number of the newest event
    ) WITHOUT ROWID;
    CREATE TABLE job (
        number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE,
        session TEXT NOT NULL REFERENCES session(id), request_id TEXT NOT NULL, fingerprint TEXT NOT NULL,
        generator TEXT NOT NULL, version INTEGER NOT NULL, plan TEXT NOT NULL,
        params TEXT NOT NULL, inputs TEXT NOT NULL, seed INTEGER NOT NULL,
        priority TEXT NOT NULL, label TEXT NOT NULL, key TEXT NOT NULL, fresh INTEGER NOT NULL,
        deliver TEXT NOT NULL, preview TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
        attempts INTEGER NOT NULL, cancelled_by TEXT NOT NULL, notes TEXT NOT NULL,
        error_code TEXT NOT NULL, error TEXT NOT NULL, device TEXT NOT NULL, run_secs REAL NOT NULL,
        created REAL NOT NULL, started REAL, ended REAL,
        UNIQUE (session, request_id)
    );
    CREATE INDEX job_unfinished ON job(number) WHERE state IN ('queued', 'running');
    CREATE INDEX job_by_key ON job(key, number) WHERE state = 'finished';
    CREATE INDEX job_by_session ON job(session, number);
    CREATE TABLE event (
        session TEXT NOT NULL, seq INTEGER NOT NULL, job_id TEXT NOT NULL, type TEXT NOT NULL,
        body BLOB NOT NULL,             -- the message as it went out, MessagePack
        PRIMARY KEY (session, seq)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX event_terminal ON event(job_id)
        WHERE type IN ('job.finished', 'job.failed', 'job.cancelled');
    CREATE TABLE asset (
        digest TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, size_bytes INTEGER NOT NULL,
        provenance TEXT NOT NULL,       -- JSON, as in the manifest; kept when the files have been collected
        created REAL NOT NULL, last_used REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE job_asset (
        job_id TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (job_id, name)
    ) WITHOUT ROWID;
    CREATE TABLE rating (
        job_id TEXT NOT NULL, digest TEXT NOT NULL, score INTEGER NOT NULL, tags TEXT NOT NULL, time REAL NOT NULL,
        PRIMARY KEY (job_id, digest)
    ) WITHOUT ROWID;
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    ALTER TABLE job ADD COLUMN growth TEXT NOT NULL DEFAULT 'null';
    ALTER TABLE job ADD COLUMN steered TEXT NOT NULL DEFAULT '';
    """,
)
VERSION = len(STEPS)


class LedgerTooNew(ScenecastError):
    """A newer Scenecast has written this ledger."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a ledger of any earlier version, or an empty file, to this one, step by step, each whole or not at all.

    Raises `LedgerTooNew` for a later version: reading it half would lose what it holds.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise LedgerTooNew(
            f"the ledger has version {version}, this Scenecast knows up to {VERSION}",
            remedy="use the newer Scenecast, or another store folder",
        )
    for number in range(version, VERSION):
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {STEPS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
