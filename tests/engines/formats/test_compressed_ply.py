"""Compressed PLY: within half a step, in any byte order, and against a slow twin."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.assets import Splats
from engines.asymmetric import asymmetric_splats, findings
from engines.errors import DamagedFile, TooLarge
from engines.formats import compressed_ply, ply
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.kinds import Kind
from engines.ply_chunks import packed
from engines.ply_container import read_header
from engines.sniffing import sniffed
from engines.splat_order import morton_order
from engines.transforms import NEUTRAL, OPENCV_AXES, Frame, move_splats
from tests.engines.formats.splat_clouds import apart, cloud, mutations, taken

LIMITS = Limits(max_memory_bytes=2**40)
PYTHON = HOSTS["python"]
TRAINED = Frame(OPENCV_AXES)


def written(splats: Splats, folder: Path, **options: str) -> Path:
    [file] = compressed_ply.encode(splats, folder, "f", host=PYTHON, **options)
    assert file.bytes == (folder / file.file).stat().st_size and file.file == "f.compressed.ply"
    return folder / file.file


def in_file_order(splats: Splats) -> Splats:
    return taken(splats, morton_order(move_splats(splats, TRAINED).positions))


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_what_is_written_comes_back_within_half_a_step(count: int, coefficients: int, tmp_path: Path) -> None:
    splats = cloud(count, coefficients)
    got = compressed_ply.decode(written(splats, tmp_path), LIMITS)
    error = apart(got, in_file_order(splats))
    assert error.position_m <= 2 / 1023 / 2 + 1e-6
    assert error.log_scale <= 7 / 1023 / 2 + 1e-5
    assert error.opacity <= 1 / 510 + 1e-6
    assert error.angle_rad < 0.005
    assert error.dc <= 3.4 / 255 / 2 + 1e-5
    assert error.rest <= 1 / 64 + 1e-6


@pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
def test_the_letter_is_the_right_way_round_for_every_host(host: object, tmp_path: Path) -> None:
    compressed_ply.encode(asymmetric_splats(), tmp_path, "f", host=host)  # type: ignore[arg-type]
    path = tmp_path / "f.compressed.ply"
    assert findings(compressed_ply.decode(path, LIMITS)) == []
    row, kind = sniffed(path)
    assert (row.name, kind) == ("compressed_ply", Kind.SPLATS)


def slow_word(values: list[float], bits: tuple[int, ...]) -> int:
    word = 0
    for value, width in zip(values, bits, strict=True):
        word = word << width | max(0, min(2**width - 1, int(value * (2**width - 1) + 0.5)))
    return word


def test_splats_are_packed_as_the_slow_twin_packs_them() -> None:
    splats = replace(cloud(300, 1), positions=np.sort(cloud(300, 1).positions, axis=0))
    bounds, words, _ = packed(splats)
    order = morton_order(splats.positions)
    for at in range(300):
        one, row = order[at], bounds[at // 256].astype(float)
        place = [(float(splats.positions[one, k]) - row[k]) / (row[3 + k] - row[k]) for k in range(3)]
        # Rounding to float32 may move a value over the border between two codes.
        slow = slow_word(place, (11, 10, 11))
        assert all(
            abs((slow >> s & m) - (int(words[at, 0]) >> s & m)) <= 1 for s, m in ((21, 2047), (11, 1023), (0, 2047))
        )
        q = [float(v) for v in splats.rotations[one]]
        largest = max(range(4), key=lambda k, q=q: abs(q[k]))  # type: ignore[misc]
        sign = -1 if q[largest] < 0 else 1
        rest = [sign * q[k] / 2**0.5 + 0.5 for k in range(4) if k != largest]
        turn = largest << 30 | slow_word(rest, (10, 10, 10))
        assert all(abs((turn >> s & 1023) - (int(words[at, 1]) >> s & 1023)) <= 1 for s in (20, 10, 0))
        assert turn >> 30 == int(words[at, 1]) >> 30
        assert abs(int(words[at, 3]) % 256 - float(splats.opacities[one]) * 255) <= 0.5001


def test_the_plain_reader_reads_it_too(tmp_path: Path) -> None:
    path = written(cloud(), tmp_path, provenance='{"seed": 7}')
    a, b = compressed_ply.decode(path, LIMITS), ply.decode(path, LIMITS)
    assert isinstance(b, Splats)
    assert apart(a, b).position_m == 0
    header = read_header(path.read_bytes(), 10**6)
    assert 'scenecast provenance {"seed": 7}' in header.comments


def test_the_same_cloud_gives_the_same_bytes(tmp_path: Path) -> None:
    first = written(cloud(), tmp_path).read_bytes()
    assert written(cloud(), tmp_path).read_bytes() == first


def by_hand(order: str = "<", colours: bool = True) -> bytes:
    """One splat, as older writers and other machines have it."""
    names = (
        "min_x min_y min_z max_x max_y max_z min_scale_x min_scale_y min_scale_z max_scale_x max_scale_y max_scale_z"
    )
    names += " min_r min_g min_b max_r max_g max_b" if colours else ""
    format_name = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    lines = ["ply", f"format {format_name} 1.0", "comment by hand", "element chunk 1"]
    lines += [f"property float {name}" for name in names.split()]
    lines += [
        "element vertex 1",
        *(f"property uint packed_{name}" for name in ("position", "rotation", "scale", "color")),
    ]
    body = struct.pack(f"{order}12f", -1, -2, -3, 1, 2, 3, -5, -5, -5, -3, -3, -3)
    body += struct.pack(f"{order}6f", 0, 0, 0, 0.5, 0.5, 0.5) if colours else b""
    middle = 512 << 20 | 512 << 10 | 512
    body += struct.pack(f"{order}4I", 2047 << 21 | 0 << 11 | 2047, middle, 0, 255 << 24 | 128)
    return "\n".join([*lines, "end_header", ""]).encode() + body


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("colours", [True, False])
def test_dialects_are_read_by_their_header(order: str, colours: bool, tmp_path: Path) -> None:
    path = tmp_path / "f.ply"
    path.write_bytes(by_hand(order, colours))
    got = compressed_ply.decode(path, LIMITS)
    np.testing.assert_allclose(got.positions, [[1, 2, -3]], atol=1e-6)
    np.testing.assert_allclose(got.scales, np.exp(-5), rtol=1e-5)
    np.testing.assert_allclose(got.rotations, [[1, 0, 0, 0]], atol=2e-3)
    np.testing.assert_allclose(got.opacities, 128 / 255, atol=1e-6)
    red = 0.5 if colours else 1.0
    np.testing.assert_allclose(got.sh[0, 0] * 0.2820948 + 0.5, [red, 0, 0], atol=1e-5)


@pytest.mark.parametrize(("change", "words"), [
    ((b"element chunk 1", b"element chunk 0"), "need 1 chunks"),
    ((b"property uint packed_scale", b"property int packed_scale"), "packed_scale of type uint"),
    ((b"min_scale_y", b"bin_scale_y"), "lack the columns min_scale_y"),
    ((struct.pack("<f", -2), struct.pack("<f", float("nan"))), "min_y = nan"),
    ((struct.pack("<f", -2), struct.pack("<f", float("inf"))), "min_y = inf"),
])  # fmt: skip
def test_damaged_files_are_refused_in_words(change: tuple[bytes, bytes], words: str, tmp_path: Path) -> None:
    path = tmp_path / "f.ply"
    path.write_bytes(by_hand().replace(*change))
    with pytest.raises(DamagedFile, match=words):
        compressed_ply.decode(path, LIMITS)


def test_absurd_counts_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "f.ply"
    path.write_bytes(by_hand().replace(b"vertex 1", b"vertex 99999999999"))
    with pytest.raises(TooLarge, match="99999999999"):
        compressed_ply.decode(path, LIMITS)
    path.write_bytes(by_hand().replace(b"vertex 1", b"vertex 50000000"))
    with pytest.raises(DamagedFile, match="ends within element vertex"):
        compressed_ply.decode(path, LIMITS)
    path.write_bytes(b"ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nend_header\n")
    with pytest.raises(DamagedFile, match="without packed columns"):
        compressed_ply.decode(path, LIMITS)


def test_mutated_files_give_splats_or_words(tmp_path: Path) -> None:
    whole = written(cloud(300, 4), tmp_path).read_bytes()
    refused = 0
    for broken in mutations(whole, 1500, 0, head=900):
        (tmp_path / "b").write_bytes(broken)
        try:
            got = compressed_ply.decode(tmp_path / "b", LIMITS)
        except (DamagedFile, TooLarge) as error:
            refused += 1
            assert error.message
        else:
            assert np.isfinite(got.positions).all() and (got.scales > 0).all()
    assert refused > 400


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=60), st.integers(0, 99))
def test_any_cloud_stays_within_its_own_box(values: list[float], seed: int) -> None:
    count = len(values) // 3
    positions = np.array(values[: 3 * count], np.float32).reshape(-1, 3)
    splats = replace(cloud(count, 1, seed=seed), positions=positions)
    bounds, words, _ = packed(splats)
    assert len(bounds) == -(-count // 256) and len(words) == count
    assert (bounds[:, :3] == positions.min(axis=0)).all() and (bounds[:, 3:6] == positions.max(axis=0)).all()


def test_neutral_is_what_comes_out(tmp_path: Path) -> None:
    splats = cloud(4, 1)
    got = compressed_ply.decode(written(splats, tmp_path), LIMITS)
    assert set(np.round(got.positions[:, 1], 2)) == set(np.round(splats.positions[:, 1], 2))
    assert apart(move_splats(move_splats(splats, TRAINED), NEUTRAL, TRAINED), splats).position_m == 0
