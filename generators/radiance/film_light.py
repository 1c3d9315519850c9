"""Films of high dynamic range, as telephones take them by default, brought to the light of an ordinary picture.

Sources: ITU-R BT.2100 (transfer functions, system gamma), BT.2087 (primaries), BT.2408 (white at 203 cd/m²).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray

PQ, HLG = 16, 18
"""Numbers of the two transfer functions in a film's header (ITU-T H.273)."""
WHITE_NITS, PEAK_NITS = 203.0, 1000.0
KNEE = 0.8
"""Up to this share of white, light stays as it is; what is brighter is drawn together below 1."""
GAMMA = 1.2
_BT709_FROM_BT2020 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)
_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)


def ordinary(values: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    """sRGB uint8 [H, W, 3] of BT.2100 values uint16 [H, W, 3] with that transfer function, `PQ` or `HLG`."""
    signal = values.astype(np.float32) / np.float32(65535)
    nits = _pq(signal) if transfer == PQ else _hlg(signal)
    light = np.maximum(nits / np.float32(WHITE_NITS) @ _BT709_FROM_BT2020.T, 0)
    most = light.max(-1, keepdims=True)
    room = np.float32(1 - KNEE)
    bent = np.where(most > KNEE, KNEE + room * (1 - np.exp(-(most - KNEE) / room)), most)
    light *= bent / np.maximum(most, 1e-6)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
    return np.asarray(np.clip(coded, 0, 1) * 255 + 0.5, np.uint8)


def _pq(signal: FloatArray) -> FloatArray:
    """Light in cd/m²."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** np.float32(1 / m2)
    return np.asarray(10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1), np.float32)


def _hlg(signal: FloatArray) -> FloatArray:
    """Light in cd/m² on a display of 1000 cd/m²."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)
    luma = np.maximum(scene @ _LUMA, 1e-6)[..., None]
    return np.asarray(PEAK_NITS * luma ** (GAMMA - 1) * scene, np.float32)
