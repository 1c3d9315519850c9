"""Codebooks and palettes: as good as plain k-means, and every label the nearest of its piece."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.splat_palette import codebook, palette


def rms(a: object, b: object) -> float:
    return float(np.sqrt(np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2)))


def test_a_codebook_is_nearly_the_best_one() -> None:
    values = np.random.default_rng(0).normal(size=(20_000, 3)).astype(np.float32)
    book, codes = codebook(values)
    assert codes.dtype == np.uint8 and codes.shape == values.shape and (np.diff(book) >= 0).all()
    # Panter and Dite: the error of the best codebook of n values for a normal distribution is sqrt(√3·π/2) / n.
    assert rms(book[codes], values) < 1.05 * np.sqrt(np.sqrt(3) * np.pi / 2) / 256


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=300))
def test_every_value_has_its_nearest_code(values: list[float]) -> None:
    array = np.array(values, np.float32)
    book, codes = codebook(array)
    assert np.isfinite(book).all()
    error = np.abs(book[codes].astype(np.float64) - array)
    best = np.abs(book[None].astype(np.float64) - array[:, None]).min(axis=1, initial=np.inf)
    assert (error <= best * (1 + 1e-5) + 1e-6 * (1 + np.abs(array))).all()


def test_few_values_are_kept_exactly() -> None:
    array = np.array([0, 1, 5, 5, -3], np.float32)
    book, codes = codebook(array)
    np.testing.assert_allclose(book[codes], array, atol=0.05)
    book, codes = codebook(np.full(9, 2.5, np.float32))
    assert (book[codes] == 2.5).all()


def plain(rows: np.ndarray, entries: int) -> float:
    """The slow twin: k-means over everything."""
    centres = rows[np.random.default_rng(0).choice(len(rows), entries, replace=False)].astype(np.float64)
    for _ in range(12):
        labels = ((rows[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        for at in range(entries):
            if (labels == at).any():
                centres[at] = rows[labels == at].mean(axis=0)
    return rms(centres[labels], rows)


@pytest.mark.parametrize("width", [9, 45])
def test_a_palette_is_about_as_good_as_plain_k_means(width: int) -> None:
    rng = np.random.default_rng(1)
    rows = (rng.normal(size=(5000, 5)) @ rng.normal(size=(5, width)) + rng.normal(0, 0.1, (5000, width))).astype("f4")
    entries, labels = palette(rows, 64)
    assert entries.shape == (64, width) and labels.shape == (5000,) and 0 <= labels.min() <= labels.max() < 64
    assert rms(entries[labels], rows) < 1.08 * plain(rows, 64)


def test_an_entry_is_the_mean_of_its_rows() -> None:
    rows = np.random.default_rng(2).normal(size=(3000, 9)).astype(np.float32)
    entries, labels = palette(rows, 512)
    for at in range(0, 512, 37):
        np.testing.assert_allclose(entries[at], rows[labels == at].mean(axis=0), atol=1e-5)
    again, same = palette(rows, 512)
    assert (again == entries).all() and (same == labels).all()


def test_as_many_entries_as_rows_keep_every_row() -> None:
    rows = np.random.default_rng(3).normal(size=(128, 9)).astype(np.float32)
    entries, labels = palette(rows, 128)
    assert (entries[labels] == rows).all()
    flat = np.zeros((100, 9), np.float32)
    entries, labels = palette(flat, 64)
    assert (entries[labels] == 0).all()
