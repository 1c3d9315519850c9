"""What can be wrong with a request to a generator, in one tree; the bridge gives each leaf its wire code.

CatalogError
├── UnknownGenerator     no generator of that id is declared
├── Unavailable          a need is missing on this machine; the message says which
├── WrongLane            it only works live, or not live at all
├── BadParameter         unknown, of the wrong type or out of range
├── BadInput             missing, unknown or of the wrong kind
└── BadRecipe            steps that cannot be chained as written
"""

from __future__ import annotations


class CatalogError(Exception):
    """What was expected, what came, where (`path`, as `$.params.size_px`) and what to do (`remedy`)."""

    def __init__(self, message: str, *, path: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.remedy = remedy


class UnknownGenerator(CatalogError):
    """No generator of that id is declared."""


class Unavailable(CatalogError):
    """A need of the generator is missing on this machine."""


class WrongLane(CatalogError):
    """The generator only works live, or not live at all."""


class BadParameter(CatalogError):
    """A parameter is unknown, of the wrong type or out of range."""


class BadInput(CatalogError):
    """An input is missing, unknown or of the wrong kind."""


class BadRecipe(CatalogError):
    """The steps of a recipe cannot be chained as written."""
