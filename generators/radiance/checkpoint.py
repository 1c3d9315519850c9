"""A trainer's whole state in one file, so that a run that was ended goes on with the very next step.

The file is an uncompressed `.npz` of plain arrays and a JSON text; reading it executes nothing. It is written
beside its place and renamed, so that a half-written file never takes a good one's place.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from generators.radiance.adam import Adam
from generators.radiance.archive import CaptureError
from generators.radiance.exposure import Exposure
from generators.radiance.parameters import Parameters
from generators.radiance.trainer import Trainer, TrainerSettings

VERSION = 1
GROUPS = ("positions", "log_scales", "quaternions", "logits", "sh")


def save(trainer: Trainer, path: Path) -> None:
    """Write the trainer's state to `path`, replacing what was there in one step."""
    arrays: dict[str, NDArray[Any]] = {}
    for prefix, parameters in (
        ("cloud", trainer.parameters),
        ("first", trainer.adam.first),
        ("second", trainer.adam.second),
    ):
        arrays |= {f"{prefix}.{name}": array for name, array in parameters.arrays()}
    if trainer.exposure is not None:
        for name in ("values", "first", "second", "steps"):
            arrays[f"exposure.{name}"] = getattr(trainer.exposure, name)
    state = {
        "version": VERSION,
        "settings": msgspec.to_builtins(trainer.settings),
        "iteration": trainer.iteration,
        "adam_steps": trainer.adam.steps,
        "order": trainer.order,
        "rng": trainer.rng.bit_generator.state,
        "centre": trainer.normalisation.centre.tolist(),
        "scale": trainer.normalisation.scale,
    }
    arrays["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    # No fsync, which takes longer than the rest: a process's death leaves the file whole, and one that a power cut
    # has damaged is found out by its checksums.
    beside.replace(path)


def cloud_in(path: Path) -> Parameters | None:
    """The cloud that a checkpoint holds, in the scene's units; None when there is none, or it cannot be read.

    With it a trainer is made without seeking seeds that `load` would throw away.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            cloud = Parameters(*(file[f"cloud.{group}"] for group in GROUPS))
        cloud.check()
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    return cloud


def load(trainer: Trainer, path: Path) -> None:
    """Put a fresh trainer, made from the same photographs and settings, into the state that `path` holds.

    Raises `CaptureError` when the file is damaged or belongs to another run.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(arrays.pop("state").tobytes())
        if state["version"] != VERSION:
            raise CaptureError(f"checkpoint {path.name} is of version {state['version']}; this program reads {VERSION}")
        _check_same_run(trainer, state, path.name)
        clouds = [
            Parameters(*(arrays[f"{prefix}.{group}"] for group in GROUPS)) for prefix in ("cloud", "first", "second")
        ]
        for cloud in clouds:
            cloud.check()
        exposure = None
        if trainer.exposure is not None:
            exposure = Exposure(*(arrays[f"exposure.{name}"] for name in ("values", "first", "second", "steps")))
        trainer.rng.bit_generator.state = state["rng"]
        steps, iteration, order = int(state["adam_steps"]), int(state["iteration"]), [int(v) for v in state["order"]]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CaptureError(f"checkpoint {path.name} is damaged: {error}") from error
    trainer.parameters = clouds[0]
    trainer.adam = Adam(clouds[1], clouds[2], steps, np.arange(len(clouds[0])))
    trainer.exposure = exposure
    trainer.iteration, trainer.order = iteration, order


def _check_same_run(trainer: Trainer, state: dict[str, Any], name: str) -> None:
    settings = msgspec.convert(state["settings"], TrainerSettings)
    # A longer run may take up a shorter one's cloud; everything else must be as it was.
    longer = msgspec.structs.replace(settings, iterations=trainer.settings.iterations)
    same_place = np.allclose(trainer.normalisation.centre, state["centre"]) and np.isclose(
        trainer.normalisation.scale, state["scale"]
    )
    if longer != trainer.settings or not same_place:
        raise CaptureError(f"checkpoint {name} belongs to other photographs or settings; start anew")
