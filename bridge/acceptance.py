"""From a request to a job: everything that can be refused is refused here, before anything is written."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from bridge import errors
from bridge.messages import JobSubmit
from bridge.provenance import work_key
from bridge.records import JobRecord, PlanStep
from bridge.store import Store
from engines.kinds import Kind
from generators import errors as catalog_errors
from generators.catalog import Catalog
from generators.pipe import DeviceRow

_LEAVES: dict[type[catalog_errors.CatalogError], type[errors.RequestError]] = {
    catalog_errors.UnknownGenerator: errors.UnknownGenerator,
    catalog_errors.Unavailable: errors.GeneratorUnavailable,
    catalog_errors.BadParameter: errors.BadParameter,
    catalog_errors.BadInput: errors.BadInput,
}
_fingerprint = msgspec.msgpack.Encoder(order="deterministic")


@contextmanager
def said_to_client() -> Iterator[None]:
    """Turn the catalog's errors into those that have a wire code."""
    try:
        yield
    except catalog_errors.CatalogError as error:
        leaf = _LEAVES.get(type(error), errors.RequestError)
        raise leaf(error.message, path=error.path, remedy=error.remedy) from error


def fingerprint(request: JobSubmit) -> str:
    """sha256 of the request as the client meant it: the order of its maps does not matter."""
    return hashlib.sha256(_fingerprint.encode(request)).hexdigest()


def accepted_record(
    session: str, request: JobSubmit, catalog: Catalog, store: Store, devices: Sequence[DeviceRow], device_kind: str
) -> JobRecord:
    """The job that `request` asks for, checked against the generator's declaration, not yet written down.

    `device_kind` is what it will run on, or empty while that is not known; then the key stays empty too.
    Raises the leaves of `RequestError`.
    """
    with said_to_client():
        spec = catalog.job_spec(request.generator)
        catalog.check_available(request.generator, devices)
        params = msgspec.to_builtins(catalog.check(request.generator, request.params))
        catalog.check_inputs(request.generator, input_kinds(request.inputs, store))
    seed = secrets.randbits(32) if request.seed is None else request.seed
    inputs = dict(request.inputs)
    return JobRecord(
        job_id=f"j{secrets.token_hex(6)}",
        session=session,
        request_id=request.request_id,
        fingerprint=fingerprint(request),
        generator=spec.id,
        version=spec.version,
        plan=(PlanStep(generator=spec.id, version=spec.version),),
        params=params,
        inputs=inputs,
        seed=seed,
        priority=request.priority,
        label=request.label,
        key=work_key(spec, params, inputs, seed, device_kind) if device_kind else "",
        fresh=request.fresh,
        deliver=request.deliver,
        preview=request.preview,
        growth=request.growth,
    )


def input_kinds(inputs: Mapping[str, str], store: Store) -> dict[str, Kind]:
    """The kinds of the assets that are wanted as inputs, by port. Raises `BadInput` for one that is not there."""
    kinds: dict[str, Kind] = {}
    for port, digest in inputs.items():
        try:
            kinds[port] = store.manifest(digest).kind
        except errors.UnknownAsset as error:
            raise errors.BadInput(
                f"input {port!r}: the store holds no asset {digest}",
                path=f"$.inputs.{port}",
                remedy="send the file again with upload.offer",
            ) from error
    return kinds
