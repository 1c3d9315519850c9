"""Every splat format both ways against splat-transform: what it reads of ours, and what we read of its."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Splats
from engines.asymmetric import asymmetric_splats, findings
from engines.formats import compressed_ply, ply
from engines.formats.registry import Limits, decoder, encoder, format_named
from engines.hosts import HOSTS
from engines.kinds import Kind
from engines.sniffing import sniffed
from engines.transforms import OPENCV_AXES
from tests.engines.formats.splat_clouds import apart, paired
from tests.engines.test_outside_readers import splat_transform, summary

PYTHON = HOSTS["python"]
TRAINED = replace(PYTHON, name="trained", axes=OPENCV_AXES)
"""A host that believes what files of trained clouds are in."""
LIMITS = Limits()

READ_BY_IT = {
    "ply": ".ply",
    "compressed_ply": ".compressed.ply",
    "splat": ".splat",
    "ksplat": ".ksplat",
    "sog": ".sog",
}
WRITTEN_BY_IT = {"compressed_ply": "theirs.compressed.ply", "sog": "theirs.sog"}


def plain(path: Path) -> Splats:
    got = ply.decode(path, LIMITS)
    assert isinstance(got, Splats)
    return got


def ours(name: str, folder: Path, splats: Splats) -> Path:
    host = TRAINED if name == "ply" else PYTHON
    [file] = encoder(format_named(name))(splats, folder, "ours", host=host)
    return folder / file.file


@pytest.mark.parametrize("name", READ_BY_IT)
def test_splat_transform_reads_what_we_write(name: str, tmp_path: Path) -> None:
    path = ours(name, tmp_path, asymmetric_splats())
    assert path.name == f"ours{READ_BY_IT[name]}"
    splat_transform(path, tmp_path / "theirs.ply")
    read = decoder(format_named(name))(path, LIMITS)
    assert isinstance(read, Splats)
    theirs = plain(tmp_path / "theirs.ply")
    error = apart(theirs, read)
    # They say the same of the same bytes; .splat's rotations they take as 2·b/255 - 1, we as (b - 128)/128.
    assert error.position_m < 1e-5 and error.log_scale < 1e-4 and error.opacity < 1e-5
    assert error.dc < 1e-4 and error.rest < 1e-5
    assert error.angle_rad < (0.02 if name == "splat" else 2e-3)
    assert findings(theirs) == []


@pytest.mark.parametrize("name", READ_BY_IT)
def test_splat_transform_sees_the_same_statistics(name: str, tmp_path: Path) -> None:
    reference = summary(ours("ply", tmp_path, asymmetric_splats()))
    rows = summary(ours(name, tmp_path, asymmetric_splats()))
    for column in ("x", "y", "z", "scale_0", "scale_1", "scale_2", "f_dc_0", "f_dc_1", "f_dc_2"):
        for figure in ("min", "max", "median", "mean"):
            step = 0.02 if column.startswith("f_dc") else 0.004
            assert abs(rows[column][figure] - reference[column][figure]) < step, (column, figure)
    assert all(numbers.get("nanCount", 0) == numbers.get("infCount", 0) == 0 for numbers in rows.values())


@pytest.mark.parametrize("name", WRITTEN_BY_IT)
def test_we_read_what_splat_transform_writes(name: str, tmp_path: Path) -> None:
    splat_transform("-g", "cpu", ours("ply", tmp_path, asymmetric_splats()), tmp_path / WRITTEN_BY_IT[name])
    row, kind = sniffed(tmp_path / WRITTEN_BY_IT[name])
    assert (row.name, kind) == (name, Kind.SPLATS)
    got = decoder(row)(tmp_path / WRITTEN_BY_IT[name], LIMITS)
    assert isinstance(got, Splats)
    assert findings(got) == []
    error = apart(paired(got, asymmetric_splats()), asymmetric_splats())
    assert error.position_m < 0.003 and error.log_scale < 0.02 and error.opacity < 0.004
    assert error.angle_rad < 0.03 and error.dc < 0.03 and error.rest < 0.02


def test_compressed_ply_has_the_same_errors_as_splat_transforms(tmp_path: Path) -> None:
    splat_transform(ours("ply", tmp_path, asymmetric_splats()), tmp_path / "theirs.compressed.ply")
    theirs = compressed_ply.decode(tmp_path / "theirs.compressed.ply", LIMITS)
    mine = compressed_ply.decode(ours("compressed_ply", tmp_path, asymmetric_splats()), LIMITS)
    a, b = (apart(paired(got, asymmetric_splats()), asymmetric_splats()) for got in (mine, theirs))
    assert a.position_m <= 1.3 * b.position_m and a.log_scale <= 1.3 * b.log_scale + 1e-4
    assert np.isclose(a.opacity, b.opacity, rtol=0.3) and a.rest <= b.rest + 1e-6
