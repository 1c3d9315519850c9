"""Reading a bundled SOG: its zip and textures under limits, then splats by version 1 (bounds) or 2 (codebooks)."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.errors import DamagedFile, EnginesError, TooLarge
from engines.formats.capture_zip import opened
from engines.formats.registry import Limits
from engines.memory import check_splats_memory
from engines.raster import check_file_size
from engines.splat_values import opacity_from_logit, scale_from_log, unit_quaternions
from engines.transforms import NEUTRAL, OPENCV_AXES, Frame, move_splats

_META_BYTES = 16 << 20
_COEFFICIENTS = (0, 3, 8, 15)
_PALETTE_COLUMNS = 64
_PALETTE_MOST_PX = 1 << 22
"""Four times what labels of 16 bits can name."""
_TEXTURE_BYTES_PER_PX = 8
"""No texture without loss is larger, however badly it is packed."""
_ROOT_HALF = np.float32(np.sqrt(0.5))
_DAMAGE = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError, zipfile.BadZipFile, OSError)


def read_splats(path: Path, limits: Limits) -> Splats:
    """See `engines.formats.sog.decode`."""
    check_file_size(path, limits)
    try:
        with opened(path) as archive, np.errstate(all="ignore"):
            cloud = _Bundle(archive, limits, path.name).splats(path.stem)
    except EnginesError:
        raise
    except (*_DAMAGE, NotImplementedError, EOFError, RuntimeError, SyntaxError) as error:
        raise DamagedFile(f"{path.name} is not the SOG it claims to be: {error!r}") from error
    for name in ("positions", "scales", "opacities", "sh"):
        if not np.isfinite(getattr(cloud, name)).all():
            raise DamagedFile(f"{path.name} has {name} that are not finite")
    return move_splats(cloud, NEUTRAL, Frame(OPENCV_AXES))


class _Bundle:
    """An opened archive and its `meta.json`."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits, name: str) -> None:
        self._archive, self._limits, self._name = archive, limits, name
        self._meta: dict[str, Any] = json.loads(self._read("meta.json", _META_BYTES))
        version = self._meta.get("version", 1)
        if version not in (1, 2):
            raise DamagedFile(f"{name} is a SOG of version {version!r}; 1 and 2 are read")
        self._codebooks = version == 2
        count = self._meta["count"] if self._codebooks else self._meta["means"]["shape"][0]
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise DamagedFile(f"{name} declares {count!r} splats")
        if count > limits.max_elements:
            raise TooLarge(f"{name} declares {count} splats, more than the limit of {limits.max_elements}")
        check_splats_memory(count, 16 if self._meta.get("shN") else 1, limits.max_memory_bytes, name)
        self.count = count

    def splats(self, name: str) -> Splats:
        """The cloud in the file's axes."""
        base = self._pixels("sh0", 0)
        if self._codebooks:
            opacities = base[:, 3].astype(np.float32) / np.float32(255)
        else:
            opacities = opacity_from_logit(self._values("sh0", base)[:, 3])
        colours = self._values("sh0", base[:, :3]) if self._codebooks else self._values("sh0", base)[:, :3]
        return Splats(
            positions=self._positions(),
            rotations=self._rotations(),
            scales=scale_from_log(self._values("scales", self._pixels("scales", 0)[:, :3])),
            opacities=opacities,
            sh=np.concatenate([colours[:, None], self._harmonics()], axis=1).astype(np.float32),
            name=name,
        )

    def _positions(self) -> FloatArray:
        low, high = self._pixels("means", 0)[:, :3], self._pixels("means", 1)[:, :3]
        share = (low + high.astype(np.uint16) * np.uint16(256)) / 65535.0
        mins, maxs = (np.array(self._meta["means"][each], np.float64).reshape(3) for each in ("mins", "maxs"))
        if not (np.abs(mins) < 80).all() or not (np.abs(maxs) < 80).all():
            raise DamagedFile(f"{self._name} reaches from {mins.tolist()} to {maxs.tolist()} in logarithms of metres")
        logs = mins + share * (maxs - mins)
        return (np.sign(logs) * np.expm1(np.abs(logs))).astype(np.float32)

    def _rotations(self) -> FloatArray:
        pixels = self._pixels("quats", 0)
        values = (pixels[:, :3] / np.float32(127.5) - np.float32(1)) * _ROOT_HALF
        rest = np.sqrt(np.maximum(0, 1 - (values * values).sum(axis=1)))
        # An index that is none stands for no rotation.
        wxyz = np.tile(np.array([1, 0, 0, 0], np.float32), (self.count, 1))
        for at in range(4):
            here = np.flatnonzero(pixels[:, 3] == 252 + at)
            wxyz[here, at] = rest[here]
            wxyz[here[:, None], [each for each in range(4) if each != at]] = values[here]
        return unit_quaternions(wxyz)

    def _harmonics(self) -> FloatArray:
        """float32 [N, K - 1, 3]."""
        entry = self._meta.get("shN")
        if entry is None:
            return np.zeros((self.count, 0, 3), np.float32)
        labels = self._pixels("shN", 1)
        rows = labels[:, 0] + labels[:, 1].astype(np.int64) * 256
        picture = self._picture("shN", 0, _PALETTE_MOST_PX)
        width = picture.shape[1] // _PALETTE_COLUMNS
        bands = entry["bands"] if self._codebooks else _COEFFICIENTS.index(width)
        if bands not in (1, 2, 3) or picture.shape[1] != _PALETTE_COLUMNS * _COEFFICIENTS[bands]:
            raise DamagedFile(f"{self._name} has a palette {picture.shape[1]} pixels wide for {bands!r} bands")
        palette = self._values("shN", picture[..., :3].reshape(-1, width, 3))
        if len(rows) and int(rows.max()) >= len(palette):
            raise DamagedFile(f"{self._name} has a label {int(rows.max())}, its palette {len(palette)} entries")
        return np.asarray(palette[rows], np.float32)

    def _values(self, part: str, codes: NDArray[np.uint8]) -> FloatArray:
        """What 8-bit codes stand for: places in a codebook, or shares between bounds, one pair a channel or for all."""
        entry = self._meta[part]
        if self._codebooks:
            book = np.array(entry["codebook"], np.float64).reshape(-1)
            if len(book) < 1 or len(book) > 256:
                raise DamagedFile(f"the codebook of {part} has {len(book)} values, expected 256")
            return np.asarray(book.astype(np.float32)[np.minimum(codes, len(book) - 1)])
        low, high = (np.array(entry[each], np.float64) for each in ("mins", "maxs"))
        return (low + codes * ((high - low) / 255)).astype(np.float32)

    def _pixels(self, part: str, which: int) -> NDArray[np.uint8]:
        """uint8 [N, 4] of a texture that has a pixel for each splat."""
        # A texture is filled up to whole rows; one far larger is not what it seems.
        picture = self._picture(part, which, 4 * self.count + (1 << 16)).reshape(-1, 4)
        if len(picture) < self.count:
            raise DamagedFile(f"a texture of {part} has {len(picture)} pixels for {self.count} splats")
        return picture[: self.count]

    def _picture(self, part: str, which: int, most_px: int) -> NDArray[np.uint8]:
        from PIL import Image as Pillow

        Pillow.MAX_IMAGE_PIXELS = None  # our own limit is checked below, before a pixel is allocated
        file = self._meta[part]["files"][which]
        data = self._read(str(file), _TEXTURE_BYTES_PER_PX * most_px)
        with Pillow.open(io.BytesIO(data), formats=["WEBP", "PNG"]) as picture:
            width, height = picture.size
            if width * height > most_px:
                raise DamagedFile(
                    f"{file} in {self._name} has {width}×{height} pixels, at most {most_px} are plausible"
                )
            return np.asarray(picture.convert("RGBA"))

    def _read(self, file: str, most_bytes: int) -> bytes:
        info = self._archive.getinfo(file)
        if info.file_size > most_bytes or info.file_size > self._limits.max_file_bytes:
            raise TooLarge(f"{file} in {self._name} unpacks to {info.file_size} bytes")
        with self._archive.open(info) as stream:
            data = stream.read(info.file_size + 1)
        if len(data) != info.file_size:
            raise DamagedFile(f"{file} in {self._name} is not as long as its directory says")
        return data
