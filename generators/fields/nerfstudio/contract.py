"""What nerfstudio's command line takes and says, as of its release 1.1.5: commands, progress, where results lie.

Its `config.yml` is a pickle in disguise; only its own exporter, in its own environment, ever reads the one that its
own trainer has just written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from generators.events import GeneratorError

Method = Literal["nerfacto", "splatfacto"]
EXPERIMENT, STAMP = "scenecast", "run"
_PROGRESS = re.compile(r"^\s*(\d+) \((\d+(?:\.\d+)?)%\)")
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FLAG = re.compile(r"--[A-Za-z][\w.-]*(=\S*)?")
RESERVED = (
    "--data", "--output-dir", "--experiment-name", "--timestamp", "--max-num-iterations", "--vis", "--load-config",
    "--load-dir", "--load-checkpoint", "--machine.seed",
)  # fmt: skip
"""Flags that the caller sets itself, or that would have foreign files loaded."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_to(device: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What has nerfstudio, which always takes the first card that it sees, see one alone: that of a torch device name.

    A list that is in the environment already is what our numbers count in.
    """
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return {}
    seen = [name.strip() for name in environment.get(VISIBLE, "").split(",") if name.strip()]
    index = int(number or 0)
    return {VISIBLE: seen[index] if index < len(seen) else str(index)}


def says_memory_ran_out(words: str) -> bool:
    """Whether a line, or the error made of the last ones, says that the card's memory was not enough."""
    return "out of memory" in words.lower() or "OutOfMemoryError" in words


def train_command(
    python: Path, method: Method, data: Path, output: Path, *, iterations: int, seed: int, flags: Sequence[str] = ()
) -> list[str]:
    """The `ns-train` of one run, which ends by itself when it is done. Raises `GeneratorError` for a reserved flag."""
    return [
        str(python), "-m", "nerfstudio.scripts.train", method,
        "--data", str(data), "--output-dir", str(output), "--experiment-name", EXPERIMENT, "--timestamp", STAMP,
        "--max-num-iterations", str(iterations), "--machine.seed", str(seed), "--vis", "tensorboard",
        *checked_flags(flags), "nerfstudio-data",
    ]  # fmt: skip


def export_command(python: Path, method: Method, config: Path, output: Path, *, points: int) -> list[str]:
    """The `ns-export` of a trained run: splats of splatfacto, coloured points of nerfacto."""
    command = [str(python), "-m", "nerfstudio.scripts.exporter"]
    paths = ["--load-config", str(config), "--output-dir", str(output)]
    if method == "splatfacto":
        return [*command, "gaussian-splat", *paths]
    return [*command, "pointcloud", *paths, "--num-points", str(points), "--normal-method", "open3d"]


def checked_flags(flags: Sequence[str]) -> list[str]:
    """Flags for `ns-train`, each `--name=value` or `--name`. Raises `GeneratorError`."""
    for flag in flags:
        name = flag.partition("=")[0]
        if not _FLAG.fullmatch(flag):
            raise GeneratorError(f"{flag!r} is no flag of nerfstudio; expected --name=value")
        if name.replace("_", "-") in RESERVED:  # its parser takes both spellings
            raise GeneratorError(f"{name} is set by Scenecast itself; leave it out")
    return list(flags)


def progress_of(line: str) -> float | None:
    """The share 0..1 that a line of the trainer's table tells, or None."""
    matched = _PROGRESS.match(plain(line))
    return min(1.0, float(matched[2]) / 100) if matched else None


def plain(line: str) -> str:
    """A line without colours and what a carriage return has overwritten."""
    return _CODES.sub("", line).rstrip("\r\n").rpartition("\r")[2]


@dataclass(frozen=True)
class Trained:
    """Where a run's results lie, and how its world was moved: model = scale · (rotation @ data + shift)."""

    config: Path
    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]
    scale: float


def trained_in(output: Path, method: Method) -> Trained:
    """What a finished run has left below `output`. Raises `GeneratorError` when something is missing."""
    folder = output / EXPERIMENT / method / STAMP
    config, moved = folder / "config.yml", folder / "dataparser_transforms.json"
    for path in (config, moved):
        if not path.is_file():
            raise GeneratorError(f"nerfstudio ended without an error, but left no {path.name}; is its release 1.1?")
    try:
        document = json.loads(moved.read_bytes())
        matrix = np.array(document["transform"], np.float64)
        scale = float(document["scale"])
    except (ValueError, KeyError, TypeError) as error:
        raise GeneratorError(f"nerfstudio's {moved.name} cannot be understood: {error}") from error
    if matrix.shape not in ((3, 4), (4, 4)) or not np.isfinite(matrix).all() or not scale > 0:
        raise GeneratorError(f"nerfstudio's {moved.name} holds no rigid motion and scale")
    return Trained(config, matrix[:3, :3], matrix[:3, 3], scale)
