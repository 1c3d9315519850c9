"""WAV: read by the standard library as we mean it, and foreign files read as they mean it."""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.assets import FloatArray, Sound
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats import wav
from engines.formats.registry import Limits
from engines.hosts import host
from engines.sniffing import sniffed

LIMITS = Limits()
STEPS = {16: 2.0**-15, 24: 2.0**-23, 32: 0.0}


def noise(count: int, channels: int) -> FloatArray:
    return np.random.default_rng(count).uniform(-1, 1, (count, channels)).astype(np.float32)


def write(folder: Path, sound: Sound, **options: Any) -> Path:
    [file] = wav.encode(sound, folder, "sound", host=host("unity"), **options)
    assert (folder / file.file).stat().st_size == file.bytes
    return folder / file.file


@pytest.mark.parametrize("depth", [16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_samples_come_back_to_half_a_step(count: int, channels: int, depth: wav.Depth, tmp_path: Path) -> None:
    sound = Sound(noise(count, channels), 44_100)
    back = wav.decode(write(tmp_path, sound, depth=depth), LIMITS)
    assert back.samples.shape == sound.samples.shape
    assert back.rate_hz == 44_100
    np.testing.assert_allclose(back.samples, sound.samples, rtol=0, atol=STEPS[depth] / 2 + 6e-8 * (depth == 24))


@pytest.mark.parametrize("depth", [16, 24])
def test_the_standard_library_reads_the_same(depth: wav.Depth, tmp_path: Path) -> None:
    path = write(tmp_path, Sound(noise(100, 2), 48_000), depth=depth)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, depth // 8, 48_000)
        data = file.readframes(1000)
    width = depth // 8
    codes = [int.from_bytes(data[at : at + width], "little", signed=True) for at in range(0, len(data), width)]
    expected = wav.decode(path, LIMITS).samples.ravel() * 2.0 ** (depth - 1)
    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize("depth", [16, 24])
def test_too_loud_is_clipped_not_wrapped(depth: wav.Depth, tmp_path: Path) -> None:
    loud = np.array([[2.0], [1.0], [-1.0], [-9.0], [np.nan]], np.float32)
    back = wav.decode(write(tmp_path, Sound(loud), depth=depth), LIMITS).samples.ravel()
    np.testing.assert_allclose(back, [1, 1, -1, -1, 0], atol=STEPS[depth] + 1e-7)


def test_loops_and_provenance_travel(tmp_path: Path) -> None:
    path = write(tmp_path, Sound(noise(9, 1), loops=True), provenance='{"prompt": "größer"}')
    assert wav.decode(path, LIMITS).loops
    assert "größer".encode() in path.read_bytes()
    with wave.open(str(path)) as file:
        assert file.getnframes() == 9
    assert not wav.decode(write(tmp_path, Sound(noise(9, 1))), LIMITS).loops


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def layout(kind: int, channels: int, bits: int, extra: bytes = b"") -> bytes:
    block = channels * bits // 8
    return struct.pack("<HHIIHH", kind, channels, 48_000, 48_000 * block, block, bits) + extra


def test_foreign_layouts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "foreign.wav"
    extensible = struct.pack("<HHIH", 22, 16, 0, 1) + b"\0" * 14
    cases: list[tuple[bytes, bytes, list[float]]] = [
        (layout(1, 1, 8), bytes([0, 128, 255]), [-1, 0, 127 / 128]),
        (layout(1, 1, 32), struct.pack("<2i", -(2**31), 2**30), [-1, 0.5]),
        (layout(3, 1, 64), struct.pack("<2d", 0.25, -0.5), [0.25, -0.5]),
        (layout(0xFFFE, 1, 16, extensible), struct.pack("<2h", -32768, 16384), [-1, 0.5]),
    ]
    for head, data, expected in cases:
        path.write_bytes(riff((b"junk", b"odd"), (b"fmt ", head), (b"data", data)))
        np.testing.assert_allclose(wav.decode(path, LIMITS).samples.ravel(), expected)
    smpl = (b"smpl", struct.pack("<15I", *[0] * 7, 1, *[0] * 7))
    path.write_bytes(riff((b"fmt ", layout(1, 1, 8)), (b"data", b"abc"), smpl))
    assert wav.decode(path, LIMITS).loops


def test_what_stands_behind_the_samples_does_not_spoil_them(tmp_path: Path) -> None:
    """Odd bytes at the end, a loop cut short, samples that are no whole frames: players play all of these."""
    path = tmp_path / "odd.wav"
    whole = riff((b"fmt ", layout(1, 2, 16)), (b"data", bytes(8) + b"xy"))
    smpl = b"smpl" + struct.pack("<I", 60) + struct.pack("<15I", *[0] * 7, 1, *[0] * 7)
    for tail, loops in ((b"", False), (b"junk", False), (smpl[:30], False), (smpl, True)):
        path.write_bytes(whole + tail)
        got = wav.decode(path, LIMITS)
        assert (got.samples.shape, got.loops) == ((2, 2), loops)


def test_rf64_says_its_length_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    long = riff((b"ds64", struct.pack("<QQQI", 0, 4, 2, 0)), (b"fmt ", layout(1, 1, 16)), (b"data", bytes(4)))
    at = long.index(b"data") + 4
    path.write_bytes(b"RF64" + long[4:at] + b"\xff" * 4 + long[at + 4 :])
    assert sniffed(path)[0].name == "wav"
    assert wav.decode(path, LIMITS).samples.shape == (2, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        riff((b"fmt ", layout(1, 1, 16)), (b"smpl", bytes(60)))[:-50],
        riff(),
        riff((b"data", b"1234")),
        riff((b"fmt ", b"short"), (b"data", b"1234")),
        riff((b"fmt ", layout(2, 1, 4)), (b"data", b"1234")),
        riff((b"fmt ", layout(1, 0, 16)), (b"data", b"1234")),
        riff((b"fmt ", layout(1, 1, 12)), (b"data", b"1234")),
        riff((b"fmt ", layout(1, 1, 16)), (b"data", b"1234"))[:-2],
        riff((b"fmt ", layout(1, 1, 16)))[:-2] + b"data\xff\xff\xff\x7f",
    ],
)
def test_damage_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(DamagedFile):
        wav.decode(path, LIMITS)


@settings(max_examples=200, deadline=None)
@given(tail=st.binary(max_size=80), cut=st.integers(0, 120))
def test_any_bytes_are_read_or_refused(tail: bytes, cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.wav"
    path.write_bytes(riff((b"fmt ", layout(1, 2, 16)), (b"data", bytes(40)))[:cut] + tail)
    try:
        assert wav.decode(path, LIMITS).samples.ndim == 2
    except (DamagedFile, TooLarge) as refused:
        assert "any.wav" in refused.message


def test_size_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, Sound(noise(100, 2)))
    with pytest.raises(TooLarge, match="200 samples"):
        wav.decode(path, Limits(max_samples=199))
    with pytest.raises(UnsuitableAsset):
        wav.encode(Sound(np.zeros((1, 65), np.float32)), tmp_path, "wide", host=host("unity"))
