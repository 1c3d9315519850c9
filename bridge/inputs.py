"""Assets as inputs of a run: where the worker finds their files."""

from __future__ import annotations

from bridge import errors
from bridge.store import Store
from generators.pipe import InputOrder


def input_order(store: Store, digest: str, *, undecoded: bool = False) -> InputOrder:
    """Where the files of an asset lie; it counts as used now. Raises `BadInput` when it is no longer there.

    `undecoded` films are handed over as their files, for ports that take captures.
    """
    try:
        manifest = store.manifest(digest)
        parts = {part.digest: str(store.path(part.digest).absolute()) for part in manifest.parts}
    except (errors.UnknownAsset, errors.StoreDamaged) as error:
        raise errors.BadInput(f"an input is no longer there: {error.message}", remedy="send it again") from error
    store.touch(digest)
    return InputOrder(manifest=str(store.path(digest).absolute()), parts=parts, undecoded=undecoded)
