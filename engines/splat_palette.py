"""Few values that stand for many: a codebook for numbers, a palette for rows of harmonics. Deterministic.

A palette of tens of thousands of rows makes plain k-means cost hours. By Zador's law the best one for rows of many
numbers has nearly as many rows of data for each of its entries everywhere, so the data is halved along its widest
direction until the pieces are small, each piece gets its share of entries, and k-means runs within the pieces.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray

CODES = 256
_ROUNDS = 24
_PIECE_ROWS = 2048
_PIECE_ROUNDS = 5
_SAMPLE_ROWS = 4096


def codebook(values: FloatArray) -> tuple[FloatArray, NDArray[np.uint8]]:
    """256 rising numbers float32 [256] and, in the shape of `values`, which of them stands for each (Lloyd-Max)."""
    flat = np.sort(values, axis=None).astype(np.float64)
    if len(flat) == 0:
        return np.zeros(CODES, np.float32), np.zeros(values.shape, np.uint8)
    sums = np.concatenate([[0.0], np.cumsum(flat)])
    centres = _companded(flat)
    for _ in range(_ROUNDS):
        ends = np.concatenate([[0], np.searchsorted(flat, _middles(centres)), [len(flat)]])
        counts = np.diff(ends)
        centres = np.where(counts > 0, np.diff(sums[ends]) / np.maximum(counts, 1), centres)
        centres = np.maximum.accumulate(centres)
    book = centres.astype(np.float32)
    return book, np.searchsorted(_middles(book), values).astype(np.uint8)


def _middles(centres: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray((centres[1:] + centres[:-1]) / 2)


def _companded(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where many codes would lie best: as dense as the cube root of the data (Panter and Dite 1951)."""
    low, high = float(ordered[0]), float(ordered[-1])
    if not high > low:
        return np.full(CODES, low)
    # Finer bins would follow single samples in the tails and waste codes there.
    edges = np.linspace(low, high, CODES // 2 + 1)
    density = np.cbrt(np.diff(np.searchsorted(ordered, edges, side="right")))
    shares = np.concatenate([[0.0], np.cumsum(density)])
    result: NDArray[np.float64] = np.interp((np.arange(CODES) + 0.5) / CODES * shares[-1], shares, edges)
    return result


def palette(rows: FloatArray, entries: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """`entries` ≤ N rows float32 [P, D] that stand for rows float32 [N, D], and which of them for each, int64 [N].

    `entries` is at least N / 2048, so that every piece has one of its own.
    """
    pieces = _pieces(rows, _PIECE_ROWS)
    ends = np.round(np.cumsum([len(piece) for piece in pieces]) * (entries / len(rows))).astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    result = np.zeros((entries, rows.shape[1]), np.float32)
    labels = np.zeros(len(rows), np.int64)

    def cluster(which: int) -> None:
        piece, start = pieces[which], int(starts[which])
        centres, own = _means(np.ascontiguousarray(rows[piece]), int(ends[which]) - start)
        result[start : start + len(centres)] = centres
        labels[piece] = start + own

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(cluster, range(len(pieces))))
    return result, labels


def _pieces(rows: FloatArray, most: int) -> list[NDArray[np.int64]]:
    """Row numbers in pieces of at most `most`, halved at the median along the direction of greatest spread."""
    waiting, done = [np.arange(len(rows))], []
    while waiting:
        piece = waiting.pop()
        if len(piece) <= most:
            done.append(piece)
            continue
        half = len(piece) // 2
        order = np.argpartition(rows[piece] @ _widest(rows[piece]), half)
        waiting += [np.sort(piece[order[half:]]), np.sort(piece[order[:half]])]
    return done


def _widest(rows: FloatArray) -> FloatArray:
    sample = rows[:: -(-len(rows) // _SAMPLE_ROWS)].astype(np.float64)
    _, directions = np.linalg.eigh(np.cov(sample, rowvar=False).reshape(rows.shape[1], -1))
    return directions[:, -1].astype(np.float32)


def _means(rows: FloatArray, count: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """k-means (Lloyd 1982) of one piece: centres float32 [K, D], each the mean of its rows, and labels int64 [n]."""
    if count >= len(rows):
        return rows, np.arange(len(rows))
    centres = rows[np.arange(count) * len(rows) // count]
    labels = np.full(len(rows), -1, np.int64)
    for _ in range(_PIECE_ROUNDS):
        # The rows' own squares are the same for every centre, so they are left out.
        distances = rows @ (-2 * centres.T) + (centres * centres).sum(axis=1)
        nearest = distances.argmin(axis=1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        counts = np.bincount(labels, minlength=count)
        held = counts > 0
        order = np.argsort(labels, kind="stable")
        sums = np.add.reduceat(rows[order], (np.cumsum(counts) - counts)[held], axis=0)
        centres = centres.copy()
        centres[held] = sums / counts[held, None].astype(np.float32)
        spare = np.flatnonzero(~held)
        if len(spare):
            apart = distances[np.arange(len(rows)), labels] + (rows * rows).sum(axis=1)
            centres[spare] = rows[np.argsort(-apart, kind="stable")[: len(spare)]]
    return centres, labels
