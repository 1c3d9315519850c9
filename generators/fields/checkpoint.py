"""A field trainer's whole state in one file, so that a run that was ended goes on with the very next step.

The file is an uncompressed `.npz` of plain arrays and a JSON text; reading it executes nothing.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from generators.fields.lattice import CHANNELS, VERTICES, completed
from generators.fields.settings import FieldSettings
from generators.fields.trainer import FieldTrainer
from generators.fields.training import LANES
from generators.radiance.archive import CaptureError

VERSION = 1
_SHAPES = {"values": CHANNELS, "first": CHANNELS, "second": CHANNELS}


def save(trainer: FieldTrainer, path: Path) -> None:
    """Write the trainer's state to `path`, replacing what was there in one step."""
    now = trainer.state
    lattice = now.lattice
    state = {
        "version": VERSION,
        "settings": msgspec.to_builtins(trainer.settings),
        "iteration": trainer.iteration,
        "level": trainer.level,
        "cells": lattice.cells,
        "rng": trainer.rng.bit_generator.state,
        "centre": trainer.normalisation.centre.tolist(),
        "scale": trainer.normalisation.scale,
    }
    arrays: dict[str, NDArray[Any]] = {
        "bricks": lattice.bricks,
        "occupied": lattice.occupied,
        "values": lattice.values,
        "first": now.first.reshape(-1, CHANNELS),
        "second": now.second.reshape(-1, CHANNELS),
        "peaks": now.peaks,
        "state": np.frombuffer(json.dumps(state).encode(), np.uint8),
    }
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(trainer: FieldTrainer, path: Path) -> None:
    """Put a fresh trainer, made from the same photographs and settings, into the state that `path` holds.

    Raises `CaptureError` when the file is damaged or belongs to another run; the trainer is then as it was.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(arrays.pop("state").tobytes())
        if state["version"] != VERSION:
            raise CaptureError(f"checkpoint {path.name} is of version {state['version']}; this program reads {VERSION}")
        _check_same_run(trainer, state, path.name)
        rows = len(arrays["bricks"]) * VERTICES
        if arrays["peaks"].shape != (LANES, rows) or any(
            arrays[name].shape != (rows, width) for name, width in _SHAPES.items()
        ):
            raise ValueError("its arrays do not fit together")
        lattice = completed(int(state["cells"]), arrays["bricks"], arrays["occupied"])
        lattice.values = arrays["values"]
        iteration, level, rng = int(state["iteration"]), int(state["level"]), state["rng"]
        trainer.rng.bit_generator.state = rng
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise CaptureError(f"checkpoint {path.name} is damaged: {error}") from error
    trainer.adopt(lattice, arrays["first"].reshape(-1), arrays["second"].reshape(-1), arrays["peaks"])
    trainer.iteration, trainer.level = iteration, level


def _check_same_run(trainer: FieldTrainer, state: dict[str, Any], name: str) -> None:
    same_place = np.allclose(trainer.normalisation.centre, state["centre"]) and np.isclose(
        trainer.normalisation.scale, state["scale"]
    )
    if msgspec.convert(state["settings"], FieldSettings) != trainer.settings or not same_place:
        raise CaptureError(f"checkpoint {name} belongs to other photographs or settings; start anew")
