"""The only place where splat values change between linear form and what files store.

Files keep opacity as a logit, scale as a logarithm and colour as the degree-0 harmonic (Kerbl et al. 2023).
Going to file form the ends are clamped, because a logit of 0 or 1 and a logarithm of 0 are infinite and many
readers turn infinities into holes:

- opacity into `OPACITY_MIN` … `OPACITY_MAX`: finer than one 8-bit step, so a picture cannot tell;
- scale to at least `SCALE_MIN_M`, a thousandth of a micrometre.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.spherical_harmonics import DC

OPACITY_MIN = 1e-6
OPACITY_MAX = 1 - 1e-6
SCALE_MIN_M = 1e-9


def logit_from_opacity(opacity: NDArray[Any]) -> NDArray[np.float32]:
    """float32 logits of opacities 0..1, finite everywhere: within ±13.8."""
    value = np.clip(np.asarray(opacity, np.float64), OPACITY_MIN, OPACITY_MAX)
    return (np.log(value) - np.log1p(-value)).astype(np.float32)


def opacity_from_logit(logit: NDArray[Any]) -> NDArray[np.float32]:
    """float32 opacities in 0..1; ±infinity gives exactly 1 and 0, and nothing overflows on the way."""
    value = np.asarray(logit, np.float64)
    small = np.exp(-np.abs(value))
    return (np.where(value >= 0, 1.0, small) / (1.0 + small)).astype(np.float32)


def log_from_scale(scale: NDArray[Any]) -> NDArray[np.float32]:
    """float32 natural logarithms of standard deviations in metres."""
    return np.log(np.maximum(np.asarray(scale, np.float64), SCALE_MIN_M)).astype(np.float32)


def scale_from_log(log_scale: NDArray[Any]) -> NDArray[np.float32]:
    """float32 standard deviations; logarithms are held within ±80 so that the result is finite and > 0."""
    return np.exp(np.clip(np.asarray(log_scale, np.float64), -80.0, 80.0)).astype(np.float32)


def dc_from_colour(colour: NDArray[Any]) -> NDArray[np.float32]:
    """float32 degree-0 harmonics of display-referred colours, 0..1 and beyond."""
    return ((np.asarray(colour, np.float64) - 0.5) / DC).astype(np.float32)


def colour_from_dc(dc: NDArray[Any]) -> NDArray[np.float32]:
    """float32 display-referred colours of degree-0 harmonics, not clamped."""
    return (np.asarray(dc, np.float64) * DC + 0.5).astype(np.float32)


def unit_quaternions(wxyz: NDArray[Any]) -> NDArray[np.float32]:
    """float32 [N, 4] of length 1 with the first non-zero component positive; a zero quaternion becomes identity.

    q and -q are the same rotation; one choice of sign makes files and comparisons repeatable.
    """
    q = np.array(wxyz, np.float64)
    # Dividing by the largest component first keeps tiny and huge quaternions from under- or overflowing.
    largest = np.abs(q).max(axis=-1, keepdims=True)
    usable = (largest > 0) & np.isfinite(largest)
    q = np.where(usable, q / np.where(usable, largest, 1.0), np.array([1.0, 0.0, 0.0, 0.0]))
    unit = (q / np.linalg.norm(q, axis=-1, keepdims=True)).astype(np.float32)
    first = np.take_along_axis(unit, np.argmax(unit != 0, axis=-1)[..., None], axis=-1)
    return np.ascontiguousarray(unit * np.where(first < 0, np.float32(-1), np.float32(1)), np.float32)
