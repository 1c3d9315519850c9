"""KSPLAT: buckets, levels and bands, and what a damaged header may claim."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Splats
from engines.asymmetric import asymmetric_splats, findings
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats import ksplat
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.kinds import Kind
from engines.sniffing import sniffed
from tests.engines.formats.splat_clouds import apart, cloud, mutations, paired

DIALECTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "splat_dialects"
LIMITS = Limits()
PYTHON = HOSTS["python"]


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
@pytest.mark.parametrize(("count", "extent"), [(1, 1.0), (300, 1.0), (1000, 12.0), (200, 3000.0)])
def test_what_is_written_comes_back_within_half_a_step(
    count: int, extent: float, coefficients: int, tmp_path: Path
) -> None:
    splats = cloud(count, coefficients, extent)
    [file] = ksplat.encode(splats, tmp_path, "f", host=PYTHON)
    assert file.bytes == (tmp_path / "f.ksplat").stat().st_size
    got = paired(ksplat.decode(tmp_path / "f.ksplat", LIMITS), splats)
    error = apart(got, replace(splats, sh=splats.sh[:, :9]))
    assert error.position_m <= 5 / 65534 / 2 + 3e-7 * extent
    assert error.log_scale <= 1 / 2048 + 1e-6
    assert error.opacity <= 1 / 510 + 1e-6
    assert error.angle_rad < 0.002
    assert error.dc * 0.2820948 <= 1 / 510 + 1e-6
    assert error.rest <= 1 / 2048


def test_buckets_are_full_or_stand_behind() -> None:
    splats = cloud(3000, 1, 12.0)
    order, sizes, centres = ksplat._buckets(splats)
    assert sorted(order) == list(range(3000)) and sizes.sum() == 3000
    full = int((sizes == 256).sum())
    assert (sizes[:full] == 256).all() and (sizes[full:] < 256).all() and (sizes > 0).all()
    offsets = splats.positions[order] - np.repeat(centres, sizes, axis=0)
    assert np.abs(offsets).max() <= 2.5 + 1e-5


def test_an_empty_cloud(tmp_path: Path) -> None:
    ksplat.encode(cloud(0, 4), tmp_path, "f", host=PYTHON)
    assert ksplat.decode(tmp_path / "f.ksplat", LIMITS).positions.shape == (0, 3)


def test_a_cloud_too_wide_for_its_blocks(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset, match="kilometres"):
        ksplat.encode(cloud(3, 1, 1e10), tmp_path, "f", host=PYTHON)


@pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
def test_the_letter_is_the_right_way_round_for_every_host(host: Host, tmp_path: Path) -> None:
    ksplat.encode(asymmetric_splats(), tmp_path, "f", host=host)
    path = (tmp_path / "f.ksplat").rename(tmp_path / "upload")
    assert findings(ksplat.decode(path, LIMITS)) == []
    row, kind = sniffed(path)
    assert (row.name, kind) == ("ksplat", Kind.SPLATS)


def by_hand(level: int, degree: int, *, each: int = 12, count: int = 2, partial: int = 2) -> bytes:
    """Two splats in one bucket that is not full, as the slow twin writes them."""
    head = struct.pack("<BBxxIIIIHxx3fff", 0, 1, 1, 1, count, count, level, 0, 0, 0, -2.0, 2.0).ljust(4096, b"\0")
    buckets = (256, 1, 5.0, each, 32767, 0, 0, 1, degree) if level else (0, 0, 0.0, 0, 0, 0, 0, 0, degree)
    section = struct.pack("<IIIIfHxxIIIIH", count, 2, *buckets).ljust(1024, b"\0")
    data = struct.pack("<I3f", partial, 10, 20, 30) if level else b""
    for splat in range(2):
        small = {0: "f", 1: "e", 2: "e"}[level]
        data += (
            struct.pack("<3f", 10 + splat, 20, 30)
            if level == 0
            else struct.pack("<3H", 32767 + splat * 13107, 32767, 32767)
        )
        data += struct.pack(f"<3{small}4{small}", 0.5, 0.25, 0.125, 1, 0, 0, 0)
        data += bytes([255, 0, 51, 204])
        values = [i / 64 for i in range((0, 9, 24)[degree])]
        if level == 2:
            data += bytes(round((v + 2) / 4 * 255) for v in values)
        else:
            data += struct.pack(f"<{len(values)}{small}", *values)
    return head + section + data


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("degree", [0, 1, 2])
def test_every_level_is_read(level: int, degree: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(by_hand(level, degree))
    got = ksplat.decode(tmp_path / "f", LIMITS)
    np.testing.assert_allclose(got.positions, [[10, -20, -30], [11, -20, -30]], atol=1e-4)
    np.testing.assert_allclose(got.scales, [[0.5, 0.25, 0.125]] * 2, rtol=1e-6)
    np.testing.assert_allclose(got.rotations, [[1, 0, 0, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(got.opacities, 0.8, atol=1e-6)
    np.testing.assert_allclose(got.sh[:, 0] * 0.2820948 + 0.5, [[1, 0, 0.2]] * 2, atol=1e-6)
    if degree:
        # Three of red, three of green, three of blue; turned about x by half a turn, the first two change their sign.
        expected = np.arange(9).reshape(3, 3).T / 64 * np.array([[-1], [-1], [1]])
        np.testing.assert_allclose(got.sh[0, 1:4], expected, atol=0.008 if level == 2 else 1e-6)
    if degree == 2:
        expected = 9 / 64 + np.arange(15).reshape(3, 5).T / 64
        np.testing.assert_allclose(np.abs(got.sh[0, 4:9]), expected, atol=0.008 if level == 2 else 1e-6)


def test_a_file_made_by_another_tool() -> None:
    if not DIALECTS.is_dir():
        pytest.skip(f"needs the sample files in {DIALECTS}")
    path = DIALECTS / "minimal.ksplat"
    assert sniffed(path)[0].name == "ksplat"
    got = ksplat.decode(path, LIMITS)
    assert got.positions.tolist() == [[-1, 0, 1], [0, 0, 1], [-1, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(got.scales, 0.1, rtol=1e-6)
    np.testing.assert_allclose(got.opacities, 230 / 255, rtol=1e-6)


@pytest.mark.parametrize(("data", "words"), [
    (b"\0\1", "within its header"),
    (b"\1\1" + by_hand(0, 0)[2:], "KSPLAT 1.1"),
    (by_hand(0, 0)[:4100], "header of section 0"),
    (by_hand(0, 0)[:-1], "claims more splats"),
    (by_hand(1, 1)[:-1], "claims more splats"),
    (by_hand(1, 0, partial=1), "buckets hold 1"),
    (by_hand(1, 0, each=0), "section 0 of f has"),
    (by_hand(1, 0, count=3), "section 0 of f has 3 of 2"),
    (by_hand(0, 0).replace(struct.pack("<f", 20), struct.pack("<f", float("nan"))), "position is not finite"),
    (by_hand(0, 1).replace(struct.pack("<f", 1 / 64), struct.pack("<f", float("inf"))), "harmonic is not finite"),
])  # fmt: skip
def test_damaged_files_are_refused_in_words(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(DamagedFile, match=words):
        ksplat.decode(tmp_path / "f", LIMITS)


def test_absurd_counts_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    data = bytearray(by_hand(1, 0))
    data[12:20] = struct.pack("<II", 2**32 - 1, 2**32 - 1)
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(TooLarge, match="4294967295"):
        ksplat.decode(tmp_path / "f", LIMITS)


def test_mutated_files_give_splats_or_words(tmp_path: Path) -> None:
    refused = 0
    for level in range(3):
        whole = by_hand(level, 1)
        # Where the counts stand is where damage tells.
        for broken in mutations(whole[:44] + whole[4096:], 1200, level, head=100):
            (tmp_path / "f").write_bytes(broken[:44].ljust(4096, b"\0") + broken[44:])
            try:
                got = ksplat.decode(tmp_path / "f", LIMITS)
            except (DamagedFile, TooLarge) as error:
                refused += 1
                assert error.message
            else:
                assert isinstance(got, Splats) and np.isfinite(got.positions).all() and np.isfinite(got.sh).all()
    assert refused > 900
