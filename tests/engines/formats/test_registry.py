"""The table of formats: complete, cheap to read, and honest about what is missing."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from dataclasses import replace

import pytest

from engines.errors import FormatUnavailable, UnknownFormat
from engines.formats import registry
from engines.kinds import Kind

ROWS = list(registry.formats().values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_points_to_code_that_is_there(row: registry.Format) -> None:
    for where in filter(None, (row.encode, row.decode)):
        module, _, function = where.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
    module, _, function = row.encode.partition(":")
    accepted = inspect.signature(getattr(importlib.import_module(module), function)).parameters
    assert set(row.options) <= set(accepted)
    assert {"asset", "folder", "stem", "host", "provenance"} <= set(accepted)
    assert row.extension.startswith(".")
    assert row.kinds
    assert "/" in row.media_type


def test_reading_the_table_loads_no_codec() -> None:
    code = (
        "import sys; from engines.formats.registry import formats; from engines import export, neutral, hosts; "
        "formats(); print(*({'PIL', 'av', 'OpenEXR', 'trimesh', 'pxr', 'zstandard', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_format_is_found_only_for_what_it_holds() -> None:
    assert registry.format_named("wav", Kind.SOUND).extension == ".wav"
    with pytest.raises(UnknownFormat) as refused:
        registry.format_named("wav", Kind.IMAGE)
    assert "png" in refused.value.remedy
    assert "wav" not in refused.value.remedy
    with pytest.raises(UnknownFormat, match="tga"):
        registry.format_named("tga")


def test_a_missing_codec_is_named_with_its_remedy() -> None:
    row = replace(registry.format_named("png"), needs=("no_such_codec",))
    assert registry.missing_need(row) == "no_such_codec"
    for load in (registry.encoder, registry.decoder):
        with pytest.raises(FormatUnavailable, match="no_such_codec") as refused:
            load(row)
        assert "install no_such_codec" in refused.value.remedy


def test_a_format_that_is_only_written_says_so() -> None:
    with pytest.raises(UnknownFormat, match="written, not read"):
        registry.decoder(registry.format_named("png_sequence"))


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("x.ply", "x"), ("x.compressed.ply", "x"), ("Holz.JPG", "Holz"), ("scan.tiff", "scan"), ("room.zip", "room"),
        ("v1.2", "v1.2"), ("v1.2.glb", "v1.2"), ("ply", "ply"), ("", ""), ("no.such", "no.such"), (".png", ""),
    ],
)  # fmt: skip
def test_a_known_extension_is_no_part_of_a_name(name: str, plain: str) -> None:
    assert registry.without_extension(name) == plain
