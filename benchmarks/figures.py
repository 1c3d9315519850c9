"""One figure as a line: measured value, what it stands against, and their ratio."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """`ratio` is value divided by `limit`, so what should be small is good below 1 and what should be large above."""

    bench: str
    figure: str
    value: float
    unit: str
    against: str
    """What the value is held against: a promise ("limit ≤ 10 ms") or a peer measured in this run."""
    limit: float

    @property
    def ratio(self) -> float:
        return self.value / self.limit if self.limit else float("inf")


def show(figure: Figure, *, as_json: bool) -> None:
    """Print one line and flush it, so that a long run can be watched."""
    row = {**asdict(figure), "ratio": round(figure.ratio, 4)}
    del row["limit"]
    row["value"] = float(f"{figure.value:.5g}")
    if as_json:
        print(json.dumps(row, ensure_ascii=False), flush=True)
    else:
        print(
            f"{figure.figure:<58} {row['value']:>10} {figure.unit:<6} {row['ratio']:>8} × {figure.against}", flush=True
        )


def median_secs(work: Callable[[], object], *, rounds: int, warmup: int = 1) -> float:
    """Median wall time of `work` over `rounds` calls after `warmup` uncounted ones."""
    return statistics.median(secs(work, rounds=rounds, warmup=warmup))


def secs(work: Callable[[], object], *, rounds: int, warmup: int = 1) -> list[float]:
    """Wall time of each of `rounds` calls of `work`, after `warmup` uncounted ones."""
    times = []
    for turn in range(warmup + rounds):
        start = time.perf_counter()
        work()
        if turn >= warmup:
            times.append(time.perf_counter() - start)
    return times


def note(text: str) -> None:
    """A remark for the person watching; never on the stream that programs read."""
    print(text, file=sys.stderr, flush=True)
