"""Whether a publication still says, everywhere, what was signed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fundmatch.dossiers import dossier_is_intact, open_dossier
from fundmatch.engine import DossierError
from fundmatch.engine.dossier import verify_dossier
from fundmatch.inputs import funder_ids
from fundmatch.models import Publication
from fundmatch.shares import content_digest, outcomes_of, shares_of


def differences_of(publication: Publication) -> list[str]:
    """Return what differs, in words; nothing when the publication holds.

    The stored dossier is intact and recomputes to the published digests; shares, outcomes and signatures in
    the database are those of the signed run.
    """
    found = _dossier_differences(publication)
    run = publication.run
    shares = shares_of(run)
    if publication.outcomes != outcomes_of(shares):
        found.append("The figures of the projects are not those of the calculation.")
    if _cells(publication) != _expected_cells(publication, shares.funders):
        found.append("The shares of the funders are not those of the calculation.")
    content = content_digest(run, shares)
    signatures = list(run.signatures.all())
    if len({s.side for s in signatures}) != 2 or len({s.signed_by_id for s in signatures}) != 2:
        found.append("Two people of two sides did not sign.")
    if any(signature.content_sha256 != content for signature in signatures):
        found.append("What was signed is not what is published.")
    return found


def _dossier_differences(publication: Publication) -> list[str]:
    if not dossier_is_intact(publication):
        return ["The dossier is missing, or its file changed."]
    with tempfile.TemporaryDirectory() as folder, open_dossier(publication) as file:
        path = Path(folder) / "dossier.zip"
        path.write_bytes(file.read())
        try:
            verdict = verify_dossier(path)
        except DossierError as error:
            return [str(error)]
    if not verdict.identical:
        return [verdict.first_difference or ""]
    published = (publication.input_sha256, publication.result_sha256, publication.merkle_root)
    if (verdict.input_sha256, verdict.result_sha256, verdict.merkle_root) != published:
        return ["The dossier is consistent, but it is not the one that was published."]
    return []


def _cells(publication: Publication) -> dict[tuple[str, str, int], int]:
    rows = publication.allocations.values_list("project__reference", "pot__slug", "funder_id", "amount_cents")
    return {(reference, pot, funder): cents for reference, pot, funder, cents in rows}


def _expected_cells(
    publication: Publication, funders: dict[str, dict[str, dict[str, int]]]
) -> dict[tuple[str, str, int], int]:
    expected = {}
    for pot in publication.campaign.pots.prefetch_related("pledges__funder"):
        names = funder_ids(pot)
        for funder, paid in funders.get(pot.slug, {}).items():
            for reference, cents in paid.items():
                expected[reference, pot.slug, names[funder].funder_id] = cents
    return expected
