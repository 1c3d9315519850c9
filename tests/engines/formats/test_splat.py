""".splat: 32 bytes a splat, told from noise by what it holds."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.asymmetric import asymmetric_splats, findings
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge
from engines.formats import splat
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.importance import importance, order_of
from engines.kinds import Kind
from engines.sniffing import sniffed
from tests.engines.formats.splat_clouds import apart, cloud, mutations, taken

DIALECTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "splat_dialects"
LIMITS = Limits()
PYTHON = HOSTS["python"]


@pytest.mark.parametrize("count", [1, 700])
def test_what_is_written_comes_back_within_half_a_step(count: int, tmp_path: Path) -> None:
    splats = cloud(count, 16)
    [file] = splat.encode(splats, tmp_path, "f", host=PYTHON)
    assert file.bytes == 32 * count == (tmp_path / "f.splat").stat().st_size
    got = splat.decode(tmp_path / "f.splat", LIMITS)
    expected = taken(replace(splats, sh=splats.sh[:, :1]), order_of(splats))
    error = apart(got, expected)
    assert (error.position_m, error.rest) == (0, 0)
    assert error.log_scale < 1e-6
    assert error.opacity <= 1 / 510 + 1e-6
    assert error.dc * 0.2820948 <= 1 / 510 + 1e-6
    assert error.angle_rad < 0.017


def test_the_most_telling_splats_stand_first(tmp_path: Path) -> None:
    splat.encode(cloud(500, 1), tmp_path, "f", host=PYTHON)
    got = splat.decode(tmp_path / "f.splat", LIMITS)
    weight = importance(got.opacities, got.scales)
    assert (weight[:-1] >= 0.6 * weight[1:]).all()


def test_a_row_is_laid_out_byte_by_byte(tmp_path: Path) -> None:
    one = replace(
        cloud(1, 1),
        positions=np.array([[1, 2, 3]], np.float32),
        scales=np.array([[0.1, 0.2, 0.3]], np.float32),
        rotations=np.array([[0, 1, 0, 0]], np.float32),
        opacities=np.array([0.5], np.float32),
        sh=np.zeros((1, 1, 3), np.float32),
    )
    splat.encode(one, tmp_path, "f", host=PYTHON)
    # Right, down, forward: y and z change their sign, and a half turn about x stays one.
    expected = struct.pack("<6f8B", 1, -2, -3, 0.1, 0.2, 0.3, 128, 128, 128, 128, 128, 255, 128, 128)
    assert (tmp_path / "f.splat").read_bytes() == expected


@pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
def test_the_letter_is_the_right_way_round_for_every_host(host: Host, tmp_path: Path) -> None:
    splat.encode(asymmetric_splats(), tmp_path, "f", host=host)
    assert findings(splat.decode(tmp_path / "f.splat", LIMITS)) == []


def test_a_file_made_by_another_tool() -> None:
    if not DIALECTS.is_dir():
        pytest.skip(f"needs the sample files in {DIALECTS}")
    path = DIALECTS / "minimal.splat"
    row, kind = sniffed(path)
    assert (row.name, kind) == ("splat", Kind.SPLATS)
    got = splat.decode(path, LIMITS)
    assert got.positions.tolist() == [[-1, 0, 1], [0, 0, 1], [-1, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(got.scales, 0.1, rtol=1e-6)
    np.testing.assert_allclose(got.opacities, 230 / 255, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(got.rotations, axis=1), 1, atol=1e-6)
    red, green, _ = got.sh[:, 0].T
    assert (red > 0).tolist() == [False, True, False, True] and (green > 0).tolist() == [False, False, True, True]


def test_files_are_recognised_by_what_they_hold(tmp_path: Path) -> None:
    splat.encode(cloud(300, 1), tmp_path, "f", host=PYTHON)
    row, kind = sniffed((tmp_path / "f.splat").rename(tmp_path / "upload"))
    assert (row.name, kind) == ("splat", Kind.SPLATS)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=32 * 20, max_size=32 * 40).map(lambda data: data[: len(data) // 32 * 32]))
def test_noise_is_not_taken_for_splats(data: bytes) -> None:
    assert splat.fault_in(np.frombuffer(data, splat.ROW))


def test_other_files_are_not_taken_for_splats(tmp_path: Path) -> None:
    for data in (bytes(320), b"\xff" * 320, bytes(range(256)) * 4, b"It was a dark and stormy night, " * 40):
        path = tmp_path / "upload"
        path.write_bytes(data)
        with pytest.raises(DamagedFile, match="none of the formats"):
            sniffed(path)


def changed(tmp_path: Path, at: int, data: bytes) -> Path:
    splat.encode(cloud(50, 1), tmp_path, "f", host=PYTHON)
    whole = bytearray((tmp_path / "f.splat").read_bytes())
    whole[at : at + len(data)] = data
    path = tmp_path / "f.splat"
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize(("at", "data", "words"), [
    (64, struct.pack("<f", float("nan")), "position of splat 2 is not finite"),
    (32 + 12, struct.pack("<f", float("inf")), "scale of splat 1 is not finite"),
    (32 + 12, struct.pack("<f", -1), "scale of splat 1 is"),
    (28, b"\0" * 4, "rotation of splat 0 has the length 2.00"),
    (32 * 50, b"abc", "1603 bytes"),
])  # fmt: skip
def test_damaged_files_are_refused_in_words(at: int, data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=words):
        splat.decode(changed(tmp_path, at, data), LIMITS)


def test_limits_hold_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = changed(tmp_path, 0, b"")
    with pytest.raises(TooLarge, match="50 splats"):
        splat.decode(path, Limits(max_elements=49))
    with pytest.raises(TooLarge, match="1600 bytes"):
        splat.decode(path, Limits(max_file_bytes=1000))


def test_mutated_files_give_splats_or_words(tmp_path: Path) -> None:
    refused = 0
    for broken in mutations(changed(tmp_path, 0, b"").read_bytes(), 1500, 0):
        (tmp_path / "b").write_bytes(broken)
        try:
            got = splat.decode(tmp_path / "b", LIMITS)
        except DamagedFile as error:
            refused += 1
            assert error.message
        else:
            assert np.isfinite(got.positions).all() and (got.scales > 0).all()
    assert refused > 500
