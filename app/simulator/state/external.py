"""External data: the pairs an application keeps on a row under its GUID."""

from app.simulator.state.records import ExternalPairs
from app.simulator.wire.envelope import ExternalData, ExternalDataRequest


def written(pairs: ExternalPairs, request: ExternalDataRequest | None) -> ExternalPairs:
    """The pairs after a creation or patch: `Replace` (the default) or `Merge`, null values removing."""
    if request is None:
        return pairs
    guid = request.application_guid.lower()
    given = [(entry.key, entry.value) for entry in request.external_data]
    kept = [] if request.patch_mode != "Merge" else pairs.get(guid, [])
    keys = {key for key, _ in given}
    merged = [pair for pair in kept if pair[0] not in keys]
    merged += [(key, value) for key, value in given if value is not None]
    return {**pairs, guid: merged}


def shown(pairs: ExternalPairs, guid: str | None) -> tuple[ExternalData, ...] | None:
    """What a reader sees: null when no GUID was asked for, else that application's pairs."""
    if not guid:
        return None
    return tuple(ExternalData(key=key, value=value) for key, value in pairs.get(guid.lower(), ()))
