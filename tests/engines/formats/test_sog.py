"""SOG: textures in a zip, both versions, and what a hostile archive may claim."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from engines.assets import Splats
from engines.asymmetric import asymmetric_splats, findings
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats import sog
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.kinds import Kind
from engines.sniffing import sniffed
from engines.splat_order import morton_order
from engines.transforms import OPENCV_AXES, Frame, move_splats
from tests.engines.formats.splat_clouds import apart, cloud, mutations, taken

LIMITS = Limits()
PYTHON = HOSTS["python"]


def in_file_order(splats: Splats) -> Splats:
    return taken(splats, morton_order(move_splats(splats, Frame(OPENCV_AXES)).positions))


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
@pytest.mark.parametrize(("count", "extent"), [(1, 1.0), (200, 1.0), (1500, 30.0)])
def test_what_is_written_comes_back(count: int, extent: float, coefficients: int, tmp_path: Path) -> None:
    splats = cloud(count, coefficients, extent)
    [file] = sog.encode(splats, tmp_path, "f", host=PYTHON)
    assert file.bytes == (tmp_path / "f.sog").stat().st_size
    got, expected = sog.decode(tmp_path / "f.sog", LIMITS), in_file_order(splats)
    error = apart(got, expected)
    # A step in logarithms is a step in metres times 1 + distance.
    assert error.position_m <= 2 * np.log1p(extent) / 65535 / 2 * (1 + extent) * 1.001 + 3e-7 * extent
    assert error.opacity <= 1 / 510 + 1e-6
    assert error.angle_rad < 0.017
    # 256 chosen values over a uniform range of 7 and of 3.4
    assert error.log_scale < 2.5 * 7 / 256 and error.dc < 2.5 * 3.4 / 256
    if coefficients > 1 and count > 1:
        rms = float(np.sqrt(np.mean((got.sh[:, 1:] - expected.sh[:, 1:]) ** 2)))
        assert rms < 0.12, "independent noise of 0.2 in 45 numbers is what no palette holds well"


def test_harmonics_that_repeat_are_kept(tmp_path: Path) -> None:
    splats = cloud(4000, 16)
    few = np.random.default_rng(1).normal(0, 0.2, (500, 15, 3)).astype(np.float32)
    splats.sh[:, 1:] = few[np.arange(4000) % 500]
    sog.encode(splats, tmp_path, "f", host=PYTHON)
    got = sog.decode(tmp_path / "f.sog", LIMITS)
    assert np.sqrt(np.mean((got.sh[:, 1:] - in_file_order(splats).sh[:, 1:]) ** 2)) < 0.01


@pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
def test_the_letter_is_the_right_way_round_for_every_host(host: Host, tmp_path: Path) -> None:
    sog.encode(asymmetric_splats(), tmp_path, "f", host=host)
    path = (tmp_path / "f.sog").rename(tmp_path / "upload")
    assert findings(sog.decode(path, LIMITS)) == []
    row, kind = sniffed(path)
    assert (row.name, kind) == ("sog", Kind.SPLATS)


def test_the_same_cloud_gives_the_same_bytes(tmp_path: Path) -> None:
    for stem in "ab":
        sog.encode(cloud(3000, 4), tmp_path, stem, host=PYTHON, provenance='{"seed": 7}')
    assert (tmp_path / "a.sog").read_bytes() == (tmp_path / "b.sog").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.sog") as archive:
        assert json.loads(archive.read("meta.json"))["asset"]["scenecast"] == {"seed": 7}


def test_a_colour_of_no_opacity_is_kept(tmp_path: Path) -> None:
    splats = replace(cloud(64, 1), opacities=np.zeros(64, np.float32))
    sog.encode(splats, tmp_path, "f", host=PYTHON)
    assert apart(sog.decode(tmp_path / "f.sog", LIMITS), in_file_order(splats)).dc < 0.04


def test_an_empty_cloud_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset, match="without splats"):
        sog.encode(cloud(0), tmp_path, "f", host=PYTHON)


def webp(pixels: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(np.asarray(pixels, np.uint8)).save(file, "WEBP", lossless=True, exact=True)
    return file.getvalue()


def version_1(*, shape: int = 2, width: int = 192) -> dict[str, bytes]:
    """Two splats, by hand: nobody writes it any more, but such files exist."""
    low, high = np.zeros((1, 4, 4)), np.zeros((1, 4, 4))
    low[0, 1, :3] = high[0, 1, :3] = 255
    labels = np.zeros((1, 4, 4))
    labels[0, 1, 0] = 1
    palette = np.zeros((1, width, 4))
    palette[0, 3:6, 0] = 255
    turns = np.full((1, 4, 4), 127.5)
    turns[..., 3] = 252
    bounds = {"mins": [0, 0, 0], "maxs": [float(np.log(3))] * 3}
    meta = {
        "means": {"shape": [shape, 3], **bounds, "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"mins": [-3, -3, -3], "maxs": [-1, -1, -1], "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"mins": [-1, -1, -1, -2], "maxs": [1, 1, 1, 2], "files": ["sh0.webp"]},
        "shN": {"mins": -0.5, "maxs": 0.5, "files": ["shN_centroids.webp", "shN_labels.webp"]},
    }
    return {
        "meta.json": json.dumps(meta).encode(), "means_l.webp": webp(low), "means_u.webp": webp(high),
        "scales.webp": webp(low), "quats.webp": webp(turns), "sh0.webp": webp(low),
        "shN_centroids.webp": webp(palette), "shN_labels.webp": webp(labels),
    }  # fmt: skip


def zipped(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_version_1_has_bounds_in_place_of_codebooks(tmp_path: Path) -> None:
    path = zipped(version_1(), tmp_path / "f")
    got = sog.decode(path, LIMITS)
    np.testing.assert_allclose(got.positions, [[0, 0, 0], [2, -2, -2]], atol=1e-5)
    np.testing.assert_allclose(got.scales, np.exp([[-3] * 3, [-1] * 3]), rtol=1e-5)
    np.testing.assert_allclose(got.sh[:, 0], [[-1] * 3, [1] * 3], atol=1e-6)
    np.testing.assert_allclose(got.opacities, 1 / (1 + np.exp([2, 2])), rtol=1e-5)
    # red of the second entry is half; y and z of a direction change sign on the way to neutral
    np.testing.assert_allclose(got.sh[1, 1:, 0], [-0.5, -0.5, 0.5], atol=1e-6)
    assert sniffed(path)[0].name == "sog"


def rewritten(tmp_path: Path, change: dict[str, Any], files: dict[str, bytes] | None = None) -> Path:
    sog.encode(cloud(100, 4), tmp_path, "g", host=PYTHON)
    with zipfile.ZipFile(tmp_path / "g.sog") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    meta = json.loads(held["meta.json"])
    for path, value in change.items():
        target: Any = meta
        *above, last = path.split(".")
        for step in above:
            target = target[step]
        target[last] = value
    held["meta.json"] = json.dumps(meta).encode()
    return zipped(held | (files or {}), tmp_path / "f")


@pytest.mark.parametrize(("change", "words"), [
    ({"version": 3}, "version 3"),
    ({"count": -1}, "declares -1"),
    ({"count": 200}, "144 pixels for 200"),
    ({"count": True}, "declares True"),
    ({"means.mins": [0, 0, 900]}, "logarithms"),
    ({"means.mins": [float("nan"), 0, 0]}, "logarithms"),
    ({"means.files": ["nowhere.webp"]}, "not the SOG"),
    ({"means": 7}, "not the SOG"),
    ({"scales.codebook": []}, "codebook of scales"),
    ({"sh0.codebook": [float("inf")]}, "not finite"),
    ({"shN.bands": 2}, "palette 192 pixels wide for 2"),
    ({"shN.bands": "1"}, "palette"),
])  # fmt: skip
def test_damaged_metadata_is_refused_in_words(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=words):
        sog.decode(rewritten(tmp_path, change), LIMITS)


def test_bombs_are_refused_before_they_grow(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="900000000"):
        sog.decode(rewritten(tmp_path, {"count": 900_000_000}), LIMITS)
    # A texture of 64 megapixels in a few bytes, for a hundred splats.
    flat = webp(np.zeros((8192, 8192, 4)))
    assert len(flat) < 100_000
    with pytest.raises(DamagedFile, match="plausible"):
        sog.decode(rewritten(tmp_path, {}, {"sh0.webp": flat}), LIMITS)
    with zipfile.ZipFile(tmp_path / "f", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.json", b" " * (1 << 26))
    with pytest.raises(TooLarge, match=r"meta\.json"):
        sog.decode(tmp_path / "f", LIMITS)
    label = np.full((12, 12, 4), 255)
    with pytest.raises(DamagedFile, match="label 65535"):
        sog.decode(rewritten(tmp_path, {}, {"shN_labels.webp": webp(label)}), LIMITS)


def test_mutated_files_give_splats_or_words(tmp_path: Path) -> None:
    whole = rewritten(tmp_path, {}).read_bytes()
    refused = 0
    for broken in mutations(whole, 500, 0, head=len(whole)):
        (tmp_path / "b").write_bytes(broken)
        try:
            got = sog.decode(tmp_path / "b", LIMITS)
        except (DamagedFile, TooLarge) as error:
            refused += 1
            assert error.message
        else:
            assert np.isfinite(got.positions).all() and np.isfinite(got.sh).all() and (got.scales > 0).all()
    assert refused > 200
