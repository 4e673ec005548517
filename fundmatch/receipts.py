"""A resident's receipt code proves that her contribution is in the published Merkle root."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import Any

from defis.models import Project
from fundmatch.dossiers import open_dossier
from fundmatch.engine.dossier import pseudonym, receipt_proof, receipt_salt
from fundmatch.engine.merkle import Leaf, check_receipt, receipt
from fundmatch.models import Publication
from fundmatch.snapshots import donor_id
from participation.contributions.models import Contribution


class ReceiptUnknown(LookupError):
    """No contribution of this round has this code."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A contribution opened into the root. `json` is what the resident keeps; amounts in cents."""

    reference: str
    project: Project
    cents: int
    matchable: bool
    root: str
    steps: int
    is_proven: bool
    json: dict[str, Any]


def find_receipt(publication: Publication, code: str) -> Receipt:
    """Return the proof of the contribution with this public reference. Raises ReceiptUnknown.

    The code is 49 random bits that only its owner received; whoever shows it shows one line, nobody's name.
    """
    gift = (
        Contribution.objects.filter(
            reference=code, campaign=publication.campaign_id, counted_at__isnull=False
        )
        .select_related("project")
        .first()
    )
    if gift is None:
        raise ReceiptUnknown(code)
    run = publication.run
    key, project = bytes(run.donor_key), gift.project.reference
    donor = pseudonym(key, donor_id(gift.voter_id, gift.offline_donor_id))
    if run.public["form"] == "unlinked":
        donor = pseudonym(key, donor, project)
    leaf = Leaf(
        receipt_salt(key, code),
        donor,
        project,
        gift.amount_cents,
        gift.matchable,
    )
    with open_dossier(publication) as file, zipfile.ZipFile(file) as archive:
        lines = archive.read("leaves.txt").split()
    try:
        proof = receipt_proof([bytes.fromhex(line.decode()) for line in lines], leaf)
    except KeyError as error:
        raise ReceiptUnknown(code) from error
    return Receipt(
        reference=code,
        project=gift.project,
        cents=gift.amount_cents,
        matchable=gift.matchable,
        root=publication.merkle_root,
        steps=len(proof.steps),
        is_proven=check_receipt(publication.merkle_root, leaf, proof),
        json=receipt(leaf, proof, publication.merkle_root),
    )
