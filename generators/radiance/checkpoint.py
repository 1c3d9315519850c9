"""The whole state of a trainer or distiller in one file, so that a run that was ended goes on with the very next step.

The file is an uncompressed `.npz` of plain arrays and a JSON text; reading it executes nothing. It is written
beside its place and renamed, so that a half-written file never takes a good one's place.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from generators.radiance.adam import Adam
from generators.radiance.archive import CaptureError
from generators.radiance.distilling import Distiller, DistillerSettings
from generators.radiance.exposure import Exposure
from generators.radiance.parameters import Parameters
from generators.radiance.trainer import Trainer, TrainerSettings

VERSION = 1
CLOUDS = ("cloud", "first", "second")
GROUPS = ("positions", "log_scales", "quaternions", "logits", "sh")


def save(trainer: Trainer, path: Path) -> None:
    """Write the trainer's state to `path`, replacing what was there in one step."""
    arrays = _clouds(trainer.parameters, trainer.adam)
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
    _write(path, arrays, state)


def save_distiller(distiller: Distiller, asked: Sequence[str], path: Path) -> None:
    """Write the distiller's state to `path` as `save` does; `asked` says which model is asked for what."""
    arrays = _clouds(distiller.parameters, distiller.adam) | {"guide": distiller.guide.state()}
    state = {
        "version": VERSION,
        "settings": msgspec.to_builtins(distiller.settings),
        "asked": list(asked),
        "iteration": distiller.iteration,
        "adam_steps": distiller.adam.steps,
        "rng": distiller.rng.bit_generator.state,
    }
    _write(path, arrays, state)


def _clouds(parameters: Parameters, adam: Adam) -> dict[str, NDArray[Any]]:
    """The arrays of a cloud and of its optimiser's two moments, by name."""
    clouds = zip(CLOUDS, (parameters, adam.first, adam.second), strict=True)
    return {f"{prefix}.{name}": array for prefix, cloud in clouds for name, array in cloud.arrays()}


def _write(path: Path, arrays: dict[str, NDArray[Any]], state: dict[str, Any]) -> None:
    arrays = arrays | {"state": np.frombuffer(json.dumps(state).encode(), np.uint8)}
    path.parent.mkdir(parents=True, exist_ok=True)
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
    with _reading(path):
        arrays, state = _read(path)
        _check_same_run(trainer, state, path.name)
        parameters, adam = _restored(arrays, state)
        exposure = None
        if trainer.exposure is not None:
            exposure = Exposure(*(arrays[f"exposure.{name}"] for name in ("values", "first", "second", "steps")))
        trainer.rng.bit_generator.state = state["rng"]
        iteration, order = int(state["iteration"]), [int(v) for v in state["order"]]
    trainer.parameters, trainer.adam = parameters, adam
    trainer.exposure = exposure
    trainer.iteration, trainer.order = iteration, order


def load_distiller(distiller: Distiller, asked: Sequence[str], path: Path) -> None:
    """Put a fresh distiller into the state that `path` holds; errors as of `load`."""
    with _reading(path):
        arrays, state = _read(path)
        if msgspec.convert(state["settings"], DistillerSettings) != distiller.settings or state["asked"] != list(asked):
            raise CaptureError(f"checkpoint {path.name} belongs to another model, other words or settings; start anew")
        parameters, adam = _restored(arrays, state)
        iteration, rng = int(state["iteration"]), state["rng"]
        distiller.guide.restore(arrays["guide"])
        distiller.rng.bit_generator.state = rng
    distiller.parameters, distiller.adam, distiller.iteration = parameters, adam, iteration


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What goes wrong with a checkpoint's file is told as a `CaptureError`."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        raise CaptureError(f"checkpoint {path.name} is damaged: {error}") from error


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    state = json.loads(arrays.pop("state").tobytes())
    if state["version"] != VERSION:
        raise CaptureError(f"checkpoint {path.name} is of version {state['version']}; this program reads {VERSION}")
    return arrays, state


def _restored(arrays: dict[str, NDArray[Any]], state: dict[str, Any]) -> tuple[Parameters, Adam]:
    """The cloud and its optimiser."""
    clouds = [Parameters(*(arrays[f"{prefix}.{group}"] for group in GROUPS)) for prefix in CLOUDS]
    for cloud in clouds:
        cloud.check()
    return clouds[0], Adam(clouds[1], clouds[2], int(state["adam_steps"]), np.arange(len(clouds[0])))


def _check_same_run(trainer: Trainer, state: dict[str, Any], name: str) -> None:
    settings = msgspec.convert(state["settings"], TrainerSettings)
    # A longer run may take up a shorter one's cloud; everything else must be as it was.
    longer = msgspec.structs.replace(settings, iterations=trainer.settings.iterations)
    same_place = np.allclose(trainer.normalisation.centre, state["centre"]) and np.isclose(
        trainer.normalisation.scale, state["scale"]
    )
    if longer != trainer.settings or not same_place:
        raise CaptureError(f"checkpoint {name} belongs to other photographs or settings; start anew")
