"""What a camera wrote into its file: which lens, how long, and where on Earth (CIPA DC-008, EXIF 2.32)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

MAKE, MODEL, EXIF_IFD, GPS_IFD = 0x010F, 0x0110, 0x8769, 0x8825
FOCAL_MM, FOCAL_35, LENS_MODEL, ZOOM = 0x920A, 0xA405, 0xA434, 0xA404
PLANE_X, PLANE_Y, PLANE_UNIT = 0xA20E, 0xA20F, 0xA210
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0}
DIAGONAL_35_MM = math.hypot(36.0, 24.0)
EARTH_M = 6_371_000.0


@dataclass(frozen=True)
class Exif:
    """What is known of one photograph; `focal_share` is the focal length as a share of the picture's diagonal."""

    camera: str = ""
    """Make, model, lens and zoom in one string; empty when the file does not say."""
    focal_share: float | None = None
    place: tuple[float, float, float] | None = None
    """Latitude and longitude in degrees and height in metres."""


def read_exif(image: Image) -> Exif:
    """What a picture says of its making; damaged or senseless values count as not said."""
    try:
        head = image.getexif()
        inner = head.get_ifd(EXIF_IFD)
        gps = head.get_ifd(GPS_IFD)
    except (OSError, ValueError, SyntaxError, IndexError, TypeError, KeyError):
        return Exif()
    named = [str(head.get(key, "")).strip("\0 ") for key in (MAKE, MODEL)] + [str(inner.get(LENS_MODEL, "")).strip()]
    focal = _number(inner.get(FOCAL_MM))
    told = any(named)
    camera = "|".join([*named, f"{focal or 0:g}", f"{_number(inner.get(ZOOM)) or 1:g}"]) if told else ""
    return Exif(camera, _focal_share(inner, image.size, focal), _place(gps))


def _focal_share(inner: Mapping[int, Any], size: tuple[int, int], focal_mm: float | None) -> float | None:
    """The 35 mm equivalent is by the diagonal (CIPA DCG-001), as is what we give."""
    equivalent = _number(inner.get(FOCAL_35))
    if equivalent:
        share = equivalent / DIAGONAL_35_MM
    else:
        across, unit = _number(inner.get(PLANE_X)), _UNIT_MM.get(int(_number(inner.get(PLANE_UNIT)) or 2))
        width = _number(inner.get(0xA002)) or size[0]
        if not (focal_mm and across and unit):
            return None
        share = focal_mm / (width / across * unit * math.hypot(*size) / size[0])
    return share if 0.15 < share < 20 else None


def _place(gps: Mapping[int, Any]) -> tuple[float, float, float] | None:
    try:
        latitude, longitude = (_degrees(gps[2 * index + 2]) for index in (0, 1))
        latitude *= -1 if str(gps.get(1, "N")).upper().startswith("S") else 1
        longitude *= -1 if str(gps.get(3, "E")).upper().startswith("W") else 1
        below = gps.get(5, 0) in (1, b"\x01")
        height = (_number(gps.get(6)) or 0.0) * (-1 if below else 1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude)):
        return None
    return latitude, longitude, height


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value):
        raise ValueError("not a place")
    return value


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def local_metres(places: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Places as metres east, up and south of their mean, on a sphere; good to 0.1 % within some kilometres."""
    latitude = sum(p[0] for p in places) / len(places)
    longitude = sum(p[1] for p in places) / len(places)
    height = sum(p[2] for p in places) / len(places)
    metre = math.radians(1) * EARTH_M
    return [
        ((p[1] - longitude) * metre * math.cos(math.radians(latitude)), p[2] - height, (latitude - p[0]) * metre)
        for p in places
    ]
