"""EXIF as cameras write it, and as damage leaves it."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from PIL import Image

from generators.radiance.poses.exif import Exif, local_metres, read_exif


def photograph(head: dict[int, Any], inner: dict[int, Any], gps: dict[int, Any] | None = None) -> Image.Image:
    image, exif, file = Image.new("RGB", (60, 40)), Image.Exif(), io.BytesIO()
    exif.update(head)
    exif.get_ifd(0x8769).update(inner)
    exif.get_ifd(0x8825).update(gps or {})
    image.save(file, "JPEG", exif=exif)
    return Image.open(io.BytesIO(file.getvalue()))


def test_the_35_mm_equivalent_is_a_share_of_the_diagonal() -> None:
    found = read_exif(photograph({0x010F: "Maker", 0x0110: "Phone 7"}, {0xA405: 26, 0x920A: 4.2}))
    assert found.focal_share == pytest.approx(26 / math.hypot(36, 24))
    assert found.camera == "Maker|Phone 7||4.2|1"


def test_the_focal_plane_serves_where_there_is_no_equivalent() -> None:
    # 60 px at 2.5 px/mm: a sensor of 24 × 16 mm
    found = read_exif(photograph({}, {0x920A: 24.0, 0xA20E: 2.5, 0xA210: 4}))
    assert found.focal_share == pytest.approx(24 / math.hypot(24, 16))


def test_zoom_tells_two_lenses_apart() -> None:
    wide, long = (read_exif(photograph({0x0110: "P"}, {0x920A: mm})).camera for mm in (4.2, 9.0))
    assert wide != long


@pytest.mark.parametrize("inner", [{}, {0xA405: 0}, {0x920A: 4.2}, {0xA405: 65000}])
def test_senseless_values_count_as_not_said(inner: dict[int, Any]) -> None:
    assert read_exif(photograph({}, inner)).focal_share is None


def test_places_become_metres() -> None:
    def at(longitude: float) -> Exif:
        minutes = (longitude - 11) * 60
        gps = {1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, minutes, 0.0), 6: 520.0}
        return read_exif(photograph({}, {}, gps))

    places = [at(11.5).place, at(11.501).place]
    assert places[0] == pytest.approx((48 + 8 / 60, 11.5, 520.0))
    first, second = local_metres([place for place in places if place is not None])
    assert second[0] - first[0] == pytest.approx(74.2, abs=0.3) and second[1] == pytest.approx(0)
    south = {1: "S", 2: (10.0, 0.0, 0.0), 3: "W", 4: (20.0, 0.0, 0.0)}
    assert read_exif(photograph({}, {}, south)).place == pytest.approx((-10, -20, 0))


def test_no_exif_at_all() -> None:
    assert read_exif(Image.new("RGB", (4, 4))) == Exif()
