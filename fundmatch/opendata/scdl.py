"""SCDL « Subventions » 2.1.1: what the local authority gave, and nothing else.

Residents' contributions are not grants, and a company never appears as the giver. One row per beneficiary.
Source: schema.data.gouv.fr, scdl/subventions, version 2.1.1 of 28 September 2023 (Licence Ouverte).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.timezone import localdate

from defis.models import Campaign, Holder, Organisation, Pledge
from fundmatch.models import Allocation, Publication
from fundmatch.opendata.tables import Column, Table

_RNA = re.compile(r"W\d{9}")
_LA_POSTE = "356000000"
_LONGEST = 256

TABLE = Table(
    "subventions-scdl",
    "Subventions (SCDL 2.1.1)",
    (
        Column("nomAttribuant", "Nom de l'attribuant"),
        Column("idAttribuant", "Identification de l'attribuant", pattern=r"^\d{14}$"),
        Column("dateConvention", "Date de la convention de subvention", "date"),
        Column("referenceDecision", "Référence de la décision", required=False),
        Column("nomBeneficiaire", "Nom du bénéficiaire"),
        Column("idBeneficiaire", "Identification SIRET du bénéficiaire", required=False),
        Column("rnaBeneficiaire", "Identification RNA du bénéficiaire", required=False, pattern=r"^W\d{9}$"),
        Column("objet", "Objet de la subvention"),
        Column("montant", "Montant total de la subvention", "number"),
        Column("nature", "Nature de la subvention"),
        Column("conditionsVersement", "Conditions de versement de la subvention"),
        Column("datesPeriodeVersement", "Date ou période de versement"),
        Column("idRAE", "Identifiant RAE", required=False),
        Column("notificationUE", "Aide d'Etat notifiée à la Commission Européenne", "boolean"),
        Column("pourcentageSubvention", "Pourcentage du montant total attribué au bénéficiaire", "number"),
        Column("dispositifAide", "Identifiant du dispositif d'aide", required=False),
    ),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row cannot be published: who has to complete what."""

    name: str
    problem: str


class NotExportable(ValueError):
    """Some giver or beneficiary lacks the legal number that the schema requires; `refusals` lists them."""

    def __init__(self, refusals: list[Refusal]) -> None:
        super().__init__("; ".join(f"{refusal.name}: {refusal.problem}" for refusal in refusals))
        self.refusals = refusals


def is_siret(value: str) -> bool:
    """Return whether these are 14 digits with a right check digit (La Poste's establishments sum to 5)."""
    if not re.fullmatch(r"\d{14}", value, re.ASCII):
        return False
    digits = [int(character) for character in value]
    if value.startswith(_LA_POSTE) and sum(digits) % 5 == 0:
        return True
    doubled = [digit * 2 if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def is_rna(value: str) -> bool:
    """Return whether this has the form of an association's number: W and nine digits."""
    return bool(_RNA.fullmatch(value))


def beneficiaries_without_id(campaign: Campaign, references: Iterable[str]) -> list[Holder]:
    """Return the holders of these projects who have neither a valid SIRET nor an RNA number."""
    if not Pledge.objects.filter(pot__campaign=campaign, funder__kind=Organisation.Kind.AUTHORITY).exists():
        return []
    holders = Holder.objects.filter(projects__campaign=campaign, projects__reference__in=list(references))
    return [holder for holder in holders.distinct() if not (is_siret(holder.siret) or is_rna(holder.rna))]


def public_grants(publication: Publication) -> list[Allocation]:
    """Return what local authorities pay in a publication."""
    return list(
        publication.allocations.filter(funder__kind=Organisation.Kind.AUTHORITY)
        .select_related("funder", "project__holder", "pot")
        .order_by("project__reference", "pot__slug", "funder__name")
    )


def scdl_rows(publication: Publication) -> list[list[Any]]:
    """Return the rows of `TABLE`. Raises NotExportable."""
    grants = public_grants(publication)
    refusals = {
        Refusal(grant.funder.name, "SIRET") for grant in grants if not is_siret(grant.funder.siret)
    } | {
        Refusal(grant.project.holder.name, "SIRET / RNA")
        for grant in grants
        if not (is_siret(grant.project.holder.siret) or is_rna(grant.project.holder.rna))
    }
    if refusals:
        raise NotExportable(sorted(refusals, key=lambda refusal: (refusal.name, refusal.problem)))
    pledges = {
        (pledge.pot_id, pledge.funder_id): pledge
        for pledge in Pledge.objects.filter(pot__campaign=publication.campaign)
    }
    published = localdate(publication.published_at)
    rows = []
    for grant in grants:
        pledge, holder = pledges.get((grant.pot_id, grant.funder_id)), grant.project.holder
        signed = pledge.signed_on if pledge is not None and pledge.signed_on else published
        rows.append(
            [
                grant.funder.name,
                grant.funder.siret,
                signed.isoformat(),
                pledge.agreement_reference if pledge is not None else "",
                holder.name,
                holder.siret if is_siret(holder.siret) else "",
                holder.rna if is_rna(holder.rna) else "",
                grant.project.title[:_LONGEST],
                f"{grant.amount_cents // 100}.{grant.amount_cents % 100:02d}",
                "aide en numéraire",
                "unique",
                published.isoformat(),
                "",
                "non",
                "1",
                "",
            ]
        )
    return rows
