"""`scenecast demo`: one thing of every kind that this machine can make, with a gallery to look at."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.cli.asked import folder_for_results
from bridge.cli.console import UsageError, complain, err, out, print_json, size
from bridge.cli.demo_plan import Wish, plan
from bridge.cli.private import PrivateBridge
from bridge.cli.watching import bars
from python_client import Client, Job, ScenecastError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUDGET_SECS = 45.0
"""What has not begun to be made by then is left out, so that the whole takes less than a minute."""
KINDS = ("material", "mesh", "splats", "field", "clip", "image", "sound", "scene")
"""The order in which results are shown."""


@dataclass
class Made:
    """One finished thing, as the contact sheet and the gallery show it."""

    title: str
    generator: str
    kind: str
    host: str
    params: dict[str, Any]
    seed: int
    secs: float
    notes: list[str]
    folder: str
    files: list[str]
    picture: NDArray[Any]
    """uint8 sRGB [S, S, 3]."""
    ball: NDArray[Any] | None = None
    """A material on a sphere, uint8 sRGB [B, B, 3]."""


@dataclass
class Outcome:
    """All that came of the demo."""

    made: list[Made] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    secs: float = 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--out", type=Path, default=Path("scenecast-demo"), metavar="DIR", help="where to write")
    parser.add_argument("--host", default="web", help="whose conventions the files follow (default: web)")
    parser.add_argument("--budget-secs", type=float, default=BUDGET_SECS, help="begin nothing after so long")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def run(arguments: argparse.Namespace) -> int:
    """0 when all that was begun was made."""
    began = time.monotonic()
    folder_for_results(arguments.out)
    data = Path(tempfile.mkdtemp(prefix="scenecast-demo-"))
    try:
        with PrivateBridge(data) as bridge, bridge.connect() as client:
            known = [row.name for row in client.hosts]
            if arguments.host not in known:
                raise UsageError(f"there is no host {arguments.host!r}", remedy=f"use one of {', '.join(known)}")
            quiet = arguments.quiet or arguments.json
            outcome = _make_all(client, arguments.out, arguments.host, began + arguments.budget_secs, quiet)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    from bridge.cli import contact_sheet, gallery

    outcome.secs = time.monotonic() - began
    outcome.made.sort(key=lambda one: KINDS.index(one.kind) if one.kind in KINDS else len(KINDS))
    if outcome.made:
        contact_sheet.write(outcome, arguments.out / "contact_sheet.png")
        gallery.write(outcome, arguments.out / "index.html")
    outcome.secs = time.monotonic() - began
    _tell(outcome, arguments)
    return 1 if outcome.failed or not outcome.made else 0


def _make_all(client: Client, folder: Path, host: str, deadline: float, quiet: bool) -> Outcome:
    """Run the wishes, at most two ahead of the worker, and picture each result while the next one is made."""
    # Read by numpy when `_pictures` imports it, after the bridge was started without it: beside a worker that uses
    # every core, BLAS threads that wait for each other burn ten times the work (0.4 s against 10 s for one picture).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    client.refresh()
    wishes, skipped = plan(client.generators)
    outcome = Outcome(skipped=skipped)
    results: dict[str, str] = {}  # kind -> digest of the first result of that kind
    under_way: list[tuple[Wish, Job]] = []
    with bars(quiet) as progress:
        task = progress.add_task("demo", total=len(wishes), stage="starting")
        while wishes or under_way:
            while wishes and len(under_way) < 2 and time.monotonic() < deadline:
                wish = next((one for one in wishes if _inputs(one, results) is not None), None)
                if wish is None:
                    break
                wishes.remove(wish)
                job = client.submit(
                    wish.generator, wish.params, inputs=_inputs(wish, results), host=host, preview_px=0, seed=7
                )
                under_way.append((wish, job))
            if not under_way:
                break
            wish, job = under_way[0]
            progress.update(task, stage=wish.title)
            job.wait()
            under_way.pop(0)
            if job.error is not None:
                outcome.failed.append((wish.generator, job.error.message))
                continue
            results.setdefault(job.assets[0].kind, job.assets[0].digest)
            try:
                outcome.made.append(_finished(client, wish, job, folder))
            except ScenecastError as error:
                outcome.failed.append((wish.generator, error.message))
            progress.update(task, completed=len(outcome.made))
    late = time.monotonic() >= deadline
    why = "left out, as the time was up" if late else "its input could not be made"
    outcome.skipped += [(f"{wish.generator} ({wish.title})", why) for wish in wishes]
    return outcome


def _inputs(wish: Wish, results: dict[str, str]) -> dict[str, str] | None:
    """The digest for every port; None when one is not there yet."""
    if not all(kind in results for kind in wish.inputs.values()):
        return None
    return {port: results[kind] for port, kind in wish.inputs.items()}


def _finished(client: Client, wish: Wish, job: Job, folder: Path) -> Made:
    name = re.sub(r"[^a-z0-9]+", "-", wish.title.lower()).strip("-")
    target = folder / name
    shutil.rmtree(target, ignore_errors=True)
    asset = job.result()[0]
    files = [Path(path).name for path in asset.save(target)]
    picture, ball = _pictures(client, asset.digest)
    return Made(wish.title, wish.generator, asset.kind, job.host, wish.params, job.seed or 0, job.run_secs,
                job.notes, name, files, picture, ball)  # fmt: skip


def _pictures(client: Client, digest: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """What the stored asset looks like: a lit, tiled surface and a ball for materials, a thumbnail for the rest."""
    from engines import neutral
    from engines.assets import Material
    from engines.kinds import Kind
    from engines.manifest import Manifest, Part
    from engines.thumbnail import lit_tile, thumbnail

    found = client.fetch(digest, "neutral")
    parts = tuple(
        Part(file.role, file.sha256, file.size_bytes, file.media_type, _name(file.dtype), file.shape)
        for file in found.files
        if file.role != "manifest"
    )
    paths = {file.sha256: Path(file.path) for file in found.files}
    asset = neutral.read(Manifest(Kind(found.kind), found.name, found.meta, {}, parts), paths.__getitem__)
    if isinstance(asset, Material):
        return lit_tile(asset, 400, 1), thumbnail(asset, 132)
    return thumbnail(asset, 400), None


def _name(dtype: str) -> str:
    """A manifest's name of an array's type for the wire's: `uint8` for `|u1`."""
    import numpy as np

    return np.dtype(dtype).name if dtype else ""


def _tell(outcome: Outcome, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json({
            "secs": round(outcome.secs, 2), "out": str(arguments.out), "host": arguments.host,
            "made": [{"title": one.title, "generator": one.generator, "kind": one.kind, "secs": round(one.secs, 3),
                      "seed": one.seed, "folder": one.folder, "files": one.files} for one in outcome.made],
            "skipped": _named(outcome.skipped), "failed": _named(outcome.failed),
        })  # fmt: skip
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("kind", "what", "generator", "secs", "size"):
        table.add_column(column, no_wrap=column != "what", justify="right" if column in ("secs", "size") else "left")
    for one in outcome.made:
        total = sum((arguments.out / one.folder / name).stat().st_size for name in one.files)
        what = f"[bold]{escape(one.title)}[/bold]"
        table.add_row(one.kind, what, one.generator, f"{one.secs:.1f}", size(total))
    console = out()
    console.print(table)
    for what, why in outcome.skipped:
        console.print(f"[yellow]skipped[/yellow] {escape(what)}: {escape(why)}")
    for what, why in outcome.failed:
        complain(f"{what} failed: {why}", "see `scenecast doctor`")
    console.print(
        f"\nmade {len(outcome.made)} things for {arguments.host} in {outcome.secs:.0f} s; "
        f"look at [bold]{escape(str(arguments.out / 'index.html'))}[/bold]"
    )
    if not outcome.made:
        err().print("nothing could be made on this machine")


def _named(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"what": what, "why": why} for what, why in pairs]
