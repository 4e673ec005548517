"""The open data of one publication: projects, who paid what, communes. No name, small cells masked.

A count of one to four givers is left empty and flagged: with the project's total it would say too much.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from defis.models import Commune, Project
from fundmatch.dossiers import FEW_DONORS
from fundmatch.models import Publication
from fundmatch.opendata import scdl
from fundmatch.opendata.tables import Column, Table

LICENCE = {
    "name": "etalab-2.0",
    "title": "Licence Ouverte / Open Licence 2.0",
    "path": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
}

PROJECTS = Table(
    "projets",
    "Projets : contributions des habitants, aide du fonds, décision",
    (
        Column("reference", "Référence publique du projet"),
        Column("titre", "Titre du projet"),
        Column("porteur", "Porteur du projet"),
        Column("commune_insee", "Code INSEE de la commune du projet", required=False),
        Column("commune", "Commune du projet", required=False),
        Column("objectif_euros", "Objectif, en euros", "number"),
        Column("habitants", "Nombre de contributeurs, vide de 1 à 4", "integer", required=False),
        Column("habitants_masque", "Le nombre de contributeurs est masqué", "boolean"),
        Column("contributions_euros", "Contributions des habitants, en euros", "number"),
        Column("aide_euros", "Aide du fonds, en euros", "number"),
        Column("total_euros", "Total reçu par le projet, en euros ; 0 si remboursé", "number"),
        Column("finance", "Le projet est financé", "boolean"),
        Column("rembourse_euros", "Remboursé aux contributeurs, en euros", "number"),
    ),
    key=("reference",),
)
PAYMENTS = Table(
    "financements",
    "Aide du fonds, par projet, enveloppe et financeur",
    (
        Column("reference", "Référence publique du projet"),
        Column("enveloppe", "Enveloppe"),
        Column("regle", "Règle de partage de l'enveloppe"),
        Column("financeur", "Financeur"),
        Column("nature_financeur", "Nature juridique du financeur"),
        Column("montant_euros", "Montant, en euros", "number"),
    ),
    key=("reference", "enveloppe", "financeur"),
)
COMMUNES = Table(
    "communes",
    "Contributions par commune déclarée, à partir de 5 contributeurs",
    (
        Column("commune_insee", "Code INSEE de la commune", required=False),
        Column("commune", "Nom de la commune ; « autres » réunit les communes de moins de 5 contributeurs"),
        Column("habitants", "Nombre de contributeurs", "integer"),
        Column("contributions_euros", "Contributions, en euros", "number"),
    ),
)


def project_rows(publication: Publication) -> list[list[Any]]:
    """Return the rows of `PROJECTS`: what was published, whatever happened to the records since."""
    projects = {
        project.reference: project
        for project in Project.objects.filter(campaign=publication.campaign).select_related(
            "holder", "commune"
        )
    }
    rows = []
    for reference, row in sorted(publication.outcomes.items()):
        project = projects[reference]
        masked = 0 < row["donors"] < FEW_DONORS
        rows.append(
            [
                reference,
                project.title,
                project.holder.name,
                project.commune.insee if project.commune else "",
                project.commune.name if project.commune else "",
                decimal_euros(project.goal_cents),
                None if masked else row["donors"],
                masked,
                decimal_euros(row["citizens_cents"]),
                decimal_euros(row["match_cents"]),
                decimal_euros(row["total_cents"]),
                row["funded"],
                decimal_euros(0 if row["funded"] else row["citizens_cents"]),
            ]
        )
    return rows


def payment_rows(publication: Publication) -> list[list[Any]]:
    """Return the rows of `PAYMENTS`."""
    allocations = publication.allocations.select_related("project", "pot", "funder")
    return [
        [
            allocation.project.reference,
            allocation.pot.slug,
            allocation.pot.rule,
            allocation.funder.name,
            allocation.funder.kind,
            decimal_euros(allocation.amount_cents),
        ]
        for allocation in allocations.order_by("project__reference", "pot__slug", "funder__name")
    ]


def commune_rows(publication: Publication) -> list[list[Any]]:
    """Return the rows of `COMMUNES`, frozen at the publication; the small ones are already together."""
    names = dict(Commune.objects.filter(insee__in=publication.by_commune).values_list("insee", "name"))
    return [
        [insee, names.get(insee, "autres") if insee else "autres", people, decimal_euros(cents)]
        for insee, (people, cents) in sorted(publication.by_commune.items())
    ]


def datapackage(publication: Publication) -> dict[str, Any]:
    """Return the Frictionless data package: every file of the publication, with its schema."""
    campaign = publication.campaign
    tables = [PROJECTS, PAYMENTS, COMMUNES]
    if is_scdl_ready(publication):
        tables.append(scdl.TABLE)
    return {
        "name": slugify(campaign.slug) or campaign.reference.lower(),
        "title": f"{campaign.fund.name} – {campaign.name}",
        "version": str(publication.version),
        "created": publication.published_at.isoformat(),
        "homepage": settings.PUBLIC_ORIGIN,
        "licenses": [LICENCE],
        "contributors": [
            {"title": campaign.fund.authority.name, "role": "publisher"},
            {"title": campaign.fund.foundation.name, "role": "publisher"},
        ],
        "profile": "tabular-data-package",
        "resources": [table.resource() for table in tables],
    }


def is_scdl_ready(publication: Publication) -> bool:
    """Return whether there is public money, and everybody concerned has a legal identifier."""
    try:
        return bool(scdl.scdl_rows(publication))
    except scdl.NotExportable:
        return False


def decimal_euros(cents: int) -> str:
    """Return cents as euros with a point, as machines read them: 1234.50."""
    return f"{cents // 100}.{cents % 100:02d}"


def json_text(value: Any) -> str:
    """Return indented UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
