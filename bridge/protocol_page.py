"""`docs/protocol.md`, made from the declarations; the prose that no declaration can hold stands here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bridge import declarations, messages, outbox, session
from bridge.declarations import FieldRow, MessageRow
from bridge.errors import InternalError, ScenecastError

INTRODUCTION = f"""\
# The protocol

One websocket between a client and the bridge, subprotocol `{messages.SUBPROTOCOL}`, protocol version
{messages.PROTOCOL}. Every websocket message is binary and is one frame. This page is generated from
`bridge/messages/` by `python -m bridge.codegen`; the same declarations give `tests/vectors/`, which the test suite
of every client must pass.

## Connecting

1. Find the bridge: the newest `bridge-PID.json` in the user's runtime directory (`$SCENECAST_RUNTIME_DIR` when set)
   that belongs to the user, has mode 0600 and names a living process. It holds `url`, `token`, `protocol`,
   `proof_path` and, with TLS, `certificate_sha256` to pin.
2. Open `url` with `Authorization: Bearer TOKEN` and the subprotocol `{messages.SUBPROTOCOL}`. Programs send no
   `Origin`. A web page of an origin listed in the bridge's settings, which cannot set that header, offers the
   second subprotocol `scenecast.token.TOKEN` instead. No compression, no text messages.
3. Say `hello` within ten seconds. Read the file at `proof_path`; its content as `disk_proof` proves a shared disk, and
   files are then handed over as paths.

Whoever is refused before the upgrade gets plain HTTP: 421 for a foreign `Host`, 403 for an `Origin` that is not
listed, 401 without the token, 503 when the bridge is full. `GET /healthz` needs no token, `GET /metrics` does.

## Frames

    map                                       messages without a payload
    0xce uint32(header_bytes) map payload     messages with one; the length is big-endian

The map is MessagePack with string keys; `type` names the message. The payload is raw and never enters the codec.
All integers lie within ±(2^53 - 1), all numbers are finite, strings are UTF-8; there are no binary values, no
extension types and no timestamps. Limits: {messages.MAX_FRAME_BYTES} bytes a frame, {messages.MAX_HEADER_BYTES}
bytes of map before a payload, {messages.MAX_DEPTH} levels inside free-form values.

`ping` with id 5, in full: `PING_HEX`

## Rules of evolution

New fields have defaults; readers skip fields they do not know. No field is renamed, retyped or given another
meaning; no message changes its lane. An older side may never have heard of a message type: the bridge answers such
a frame with `refused` (`wire.invalid` at `$.type`), clients ignore it. Of a key that occurs twice the last one
counts. What cannot follow these rules raises the protocol version, which is settled in the hello: a mismatch is
refused with words that say which side is the older.

## Lanes

| lane | promise |
|---|---|
| control | in order, never dropped, never behind the others |
| live | only the newest per `latest by` is kept while the client reads slowly; dropped when its job is over |
| asset | chunks of at most {messages.CHUNK_BYTES} bytes, taking turns between transfers, under credit |

Credit: the bridge sends at most {outbox.WINDOW_BYTES} payload bytes of `asset.chunk` beyond what the client has
credited; while credit returns within {outbox.QUICK_SECS * 1000:.0f} ms the window grows, up to
{outbox.WINDOW_LIMIT_BYTES}. Credit what has been taken off the socket when half of `limits.credit_bytes` has gathered,
and when a transfer is done: smaller steps cost more than they gain, and whoever keeps more than `credit_bytes` less one
chunk waits for a chunk while the bridge waits for credit. A file of no bytes has no chunk.

A client that takes nothing for a while (`stall_secs`) although something waits for it is disconnected. Nothing is
lost by that: see below.

## Sessions

The session outlives the connection. Durable events carry `seq` 1, 2, 3 … within it; a client keeps the session's id
and the last `seq` it has handled, and says both in the next `hello`. What came later is sent again, in order, before
anything new; nothing is skipped, nothing repeated. Live messages are not durable. After a connection that was cut,
ask again (`asset.fetch`) for the files of results that were told but whose files had not arrived. Sending a
`job.submit` again with the same `request_id` gives the same job, so repeat whatever was not answered. A second
connection with the same session takes it over; the first gets `closing`. `resumed` false means that the bridge does
not know the session: its earlier events are gone.

How unfinished jobs are steered, and which growing clouds have a newer version, is in no event: the bridge says it
again after every `welcome` (`job.steered`, `job.grown`). Growing clouds have a page of their own,
[growing_clouds.md](growing_clouds.md).

## Live sessions

Frames in, pictures out, the newest wins in both directions. A session has a worker process for itself and belongs to
its connection; when that ends, so does the session. What a frame does not name stands as it was, even if the frame
that named it was replaced before anybody looked at it. A frame that cannot be answered is `refused` under the
session's id, once, and changes nothing; frames up to the `frame` of a `live.image` or a `live.state` get no further
answer. A worker that dies is replaced once, and the newest frame done again; after that the session is `live.closed`
with the true reason. Large frames and answers go in several messages of one `frame`, joined by `offset`, so that
control messages find their place between them.

## A conversation

    client                                   bridge
      hello protocol=1 client host     ->
                                       <-    welcome session limits generators hosts seq
      job.submit request_id generator  ->
                                       <-    job.accepted job_id seed       (it is in the ledger)
                                       <-    job.queued seq=1
                                       <-    job.started seq=2 device
                                       <-    job.progress / job.preview      (live)
                                       <-    job.produced seq=3 asset
                                       <-    asset.files                     (when the submit said `deliver`)
                                       <-    job.finished seq=4 assets

    a client on another machine, after asset.files with a transfer:
                                       <-    asset.chunk transfer file offset + payload   (again and again)
      asset.credit size_bytes          ->

    an input:
      upload.offer digest size_bytes   ->
                                       <-    upload.state upload offset      (done=true when it is there already)
      upload.chunk upload offset + payload ->
                                       <-    upload.state done=true asset

    a long job:
      job.steer job_id action=pause    ->
                                       <-    job.steered steered=paused      (resume, finish: likewise)

    a live session:
      live.open request_id generator   ->
                                       <-    live.opened live                (or refused)
                                       <-    live.state loading … ready
      live.frame live frame=1 + pixels ->
                                       <-    live.image frame=1 + pixels
      live.frame live frame=2 params   ->                                    (pictures and camera stand as they were)
                                       <-    live.image frame=2 rough=true, then rough=false
      live.close live                  ->
                                       <-    live.closed                     (nothing of it runs any more)

    back after a cut:
      hello session cursor=3           ->
                                       <-    welcome resumed=true seq=9
                                       <-    events 4 … 9, then what happens now

## Refusals

A request that cannot be obeyed is answered with `refused`, which names the request (`request_id`, or the job,
upload, transfer or live session), a code, the path of the value, what was expected and what came, and what to do. The
connection stays open unless `fatal`; it also ends after {session.WIRE_ERRORS_LIMIT} undecodable frames in a row.

"""


def page() -> str:
    """The whole page as Markdown."""
    sections = [
        INTRODUCTION.replace("PING_HEX", _ping_hex()),
        _errors(),
        "An `id` is 1 to 128 of `A-Z a-z 0-9 . _ : -`; a `digest` is a SHA-256 as 64 lower-case hexadecimal digits.\n"
        "The length of a string counts code points.\n\n",
        "## Messages of the client\n\n",
        *map(_message, declarations.client_messages()),
        "## Messages of the bridge\n\n",
        *map(_message, declarations.bridge_messages()),
        "## Parts\n\n",
    ]
    sections += [f"### {part.name}\n\n{part.words}\n\n{_table(part.fields)}" for part in declarations.parts()]
    return "".join(sections).rstrip() + "\n"


def _ping_hex() -> str:
    from bridge import wire

    return wire.encode(messages.Ping(id=5)).hex(" ")


def _message(row: MessageRow) -> str:
    facts = [f"lane {row.lane.value}"]
    if row.latest_by:
        facts.append(f"latest by `{row.latest_by}`")
    if row.payload:
        facts.append("payload follows")
    return f"### `{row.tag}`\n\n{row.words} ({', '.join(facts)})\n\n{_table(row.fields)}"


def _table(fields: Sequence[FieldRow]) -> str:
    if not fields:
        return ""
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for field in fields:
        default = "" if field.required else f"`{_shown(field.default)}`"
        words = field.words.replace("|", "\\|")
        lines.append(f"| `{field.name}` | {field.type_in_words} | {default} | {words} |")
    return "\n".join(lines) + "\n\n"


def _shown(default: Any) -> str:
    return json.dumps(default, ensure_ascii=False)


def _errors() -> str:
    lines = ["| code | meaning |", "|---|---|"]
    seen: set[str] = set()
    for leaf in _leaves(ScenecastError):
        if leaf.__module__ == "bridge.errors" and "code" in vars(leaf) and leaf.code not in seen:
            seen.add(leaf.code)
            lines.append(f"| `{leaf.code}` | {' '.join((leaf.__doc__ or '').split())} |")
    lines.append(f"| `{InternalError.code}` | {InternalError.__doc__} |")
    return "\n".join(lines) + "\n\n"


def _leaves(kind: type[ScenecastError]) -> list[type[ScenecastError]]:
    below = [leaf for child in kind.__subclasses__() for leaf in _leaves(child)]
    return [kind, *below] if kind is not ScenecastError else below
