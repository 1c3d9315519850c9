"""`scenecast run`: one job from the command line to files in a folder."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from bridge.cli import INTERRUPTED, asked, reach, values
from bridge.cli.console import UsageError, complain, out, print_json, size
from bridge.cli.watching import Interrupted, tell, watch
from python_client import Client, ConnectionFailed, Job, ScenecastError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("generator", help="what to run, as `material.procedural`; see `scenecast generators`")
    parser.add_argument("-p", "--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    parser.add_argument(
        "-i",
        "--input",
        action="append",
        default=[],
        metavar="PORT=FILE",
        help="an input: file, folder of photographs, or digest",
    )
    parser.add_argument("--host", default="python", help="whose conventions the files follow (default: python)")
    parser.add_argument("--format", action="append", default=[], metavar="KIND=FORMAT", help="as material=exr")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where to write (default: here)")
    parser.add_argument("--seed", type=int, help="0 to 4294967295; drawn by the bridge when absent")
    parser.add_argument("--fresh", action="store_true", help="run again even if the same result is in the store")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress; notes are told all the same")
    reach.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """0 when the files are written, 1 when the job failed or was cancelled, 130 when it was by Ctrl-C."""
    texts = values.pairs(arguments.param, "NAME=VALUE after -p")
    inputs = values.pairs(arguments.input, "PORT=FILE after -i")
    formats = values.pairs(arguments.format, "KIND=FORMAT after --format")
    if arguments.seed is not None and not 0 <= arguments.seed < 2**32:
        raise UsageError(f"the seed {arguments.seed} is outside 0 … 4294967295")
    asked.folder_for_results(arguments.out)
    quiet = arguments.quiet or arguments.json
    with reach.running_or_private(arguments, quiet=quiet) as client, Interrupted().installed() as interrupted:
        row = asked.generator(client, arguments.generator)
        asked.check_names(row, texts)
        asked.check_formats(row, formats)
        began = time.monotonic()
        job = client.submit(
            row.id,
            values.typed(texts, row.params),
            inputs=asked.digests(client, row, inputs) if row.jobs else {},
            host=arguments.host,
            formats=formats,
            seed=arguments.seed,
            fresh=arguments.fresh,
            preview_px=0,
        )
        try:
            watch(client, job, quiet=quiet, interrupted=interrupted)
            if arguments.quiet and not arguments.json:  # no progress, but what was assumed or not understood is said
                tell(job.notes)
            if job.state != "cancelled":
                return _finish(client, job, arguments, began)
        except ConnectionFailed as error:
            kept = "the job is written down, and goes on when the bridge runs again"
            remedy = f"{kept}: start it with `scenecast serve`, then see `scenecast jobs`"
            raise ScenecastError(f"the bridge is gone ({error.message})", remedy=remedy) from error
        complain("the job was cancelled; nothing of it runs any more")
        return INTERRUPTED if interrupted.times else 1


def _finish(client: Client, job: Job, arguments: argparse.Namespace, began: float) -> int:
    result = job.result()
    try:
        paths = result.save(arguments.out)
    except OSError as error:
        same = f"the same command with --seed {job.seed} and another --out finds it without making it again"
        raise UsageError(
            f"{arguments.out} cannot be written to: {error.strerror}", remedy=f"it is kept: {same}"
        ) from error
    secs = time.monotonic() - began
    if arguments.json:
        print_json(_said(job, paths, secs))
        return 0
    from rich.markup import escape

    console = out()
    for path in paths:
        console.print(f"{escape(path)}  [dim]{size(Path(path).stat().st_size)}[/dim]")
    again = ", from an earlier run" if job.reused else ""
    console.print(
        f"[dim]{escape(job.generator)} for {escape(arguments.host)}, seed {job.seed}, {secs:.1f} s{again}[/dim]"
    )
    return 0


def _said(job: Job, paths: list[str], secs: float) -> dict[str, Any]:
    return {
        "job": job.id,
        "generator": job.generator,
        "params": job.params,
        "seed": job.seed,
        "host": job.host,
        "reused": job.reused,
        "secs": round(secs, 3),
        "notes": job.notes,
        "assets": [{"digest": row.digest, "kind": row.kind, "name": row.name} for row in job.assets],
        "files": paths,
    }
