"""Every error of this room, in one tree; the bridge gives each leaf its wire code.

EnginesError
├── UnknownHost          no row describes that host
├── UnknownFormat        that format does not exist, or does not hold that kind of asset
├── FormatUnavailable    the format's codec package is not installed here
├── UnsuitableAsset      the asset breaks the neutral form's own promises (shape, dtype, range)
├── DamagedFile          bytes that are not what they claim to be
└── TooLarge             over a decoder's limit, seen before memory was asked for
"""

from __future__ import annotations


class EnginesError(Exception):
    """What was expected, what came, and in `remedy` what a person can do about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UnknownHost(EnginesError):
    """No row describes that host."""


class UnknownFormat(EnginesError):
    """No such format, or it does not hold that kind of asset."""


class FormatUnavailable(EnginesError):
    """The package that reads or writes this format is not installed."""


class UnsuitableAsset(EnginesError):
    """An asset whose arrays break the promises of its neutral form."""


class DamagedFile(EnginesError):
    """Bytes that are not what they claim to be."""


class TooLarge(EnginesError):
    """More pixels, frames or elements than the limits allow."""
