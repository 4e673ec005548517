"""A round as a Pabulib file (pabulib.org/format): a cumulative vote whose points are the cents given.

It says exactly what the dossier says of each gift, pseudonyms included, and nothing where the dossier gives
sums only.
"""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from defis.models import Project
from fundmatch.dossiers import open_dossier
from fundmatch.engine.canonical import load_json
from fundmatch.models import Publication
from fundmatch.opendata.files import decimal_euros


class NotPublishable(ValueError):
    """The gifts of this round are published as sums per project: there are no ballots to show."""


def pb_text(publication: Publication) -> str:
    """Return the .pb file of a publication. Raises NotPublishable, FileNotFoundError."""
    if not publication.lists_gifts:
        raise NotPublishable(_("Gifts of this round are published as sums per project."))
    with open_dossier(publication) as file, zipfile.ZipFile(file) as archive:
        rows = load_json(archive.read("input.json"))["contributions"]
    votes: dict[str, dict[str, int]] = {}
    for row in rows:
        mine = votes.setdefault(row[0], {})
        mine[row[1]] = mine.get(row[1], 0) + row[2]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    for name, header, lines in (
        ("META", ["key", "value"], _meta(publication, votes)),
        (
            "PROJECTS",
            ["project_id", "cost", "votes", "score", "name", "category", "selected"],
            _projects(publication),
        ),
        ("VOTES", ["voter_id", "vote", "points"], _votes(votes)),
    ):
        writer.writerow([name])
        writer.writerow(header)
        writer.writerows(lines)
    return out.getvalue()


def _meta(publication: Publication, votes: dict[str, dict[str, int]]) -> list[list[Any]]:
    campaign, parameters = publication.campaign, publication.run.parameters
    sums = [sum(vote.values()) for vote in votes.values()]
    lengths = [len(vote) for vote in votes.values()]
    budget = sum(pot["budget_cents"] for pot in parameters["pots"])
    return [
        ["description", _line(f"{campaign.fund.name} – {campaign.name}")],
        ["country", "France"],
        ["unit", _line(campaign.fund.territory.name)],
        ["instance", campaign.slug],
        ["num_projects", len(parameters["projects"])],
        ["num_votes", len(votes)],
        ["budget", decimal_euros(budget)],
        ["vote_type", "cumulative"],
        ["rule", ",".join(sorted({pot["rule"] for pot in parameters["pots"]})) or "none"],
        ["date_begin", f"{localdate(campaign.opens_at):%d.%m.%Y}"],
        ["date_end", f"{localdate(campaign.closes_at):%d.%m.%Y}"],
        ["min_length", min(lengths, default=1)],
        ["max_length", max(lengths, default=1)],
        ["max_sum_points", max(sums, default=0)],
        ["currency", "EUR"],
        [
            "comment",
            "#1: One point is one cent that the voter really gave to the project. "
            f"#2: The complementary money is shared by fundmatch/1; result {publication.result_sha256}.",
        ],
    ]


def _projects(publication: Publication) -> list[list[Any]]:
    projects = Project.objects.filter(campaign=publication.campaign).select_related("defi")
    rows = publication.outcomes
    return [
        [
            project.reference,
            decimal_euros(project.goal_cents),
            rows[project.reference]["donors"],
            rows[project.reference]["citizens_cents"],
            _line(project.title),
            _line(project.defi.name),
            int(rows[project.reference]["funded"]),
        ]
        for project in projects.order_by("reference")
        if project.reference in rows
    ]


def _votes(votes: dict[str, dict[str, int]]) -> list[list[str]]:
    return [
        [voter, ",".join(vote), ",".join(str(cents) for cents in vote.values())]
        for voter, vote in sorted(votes.items())
    ]


def _line(text: str) -> str:
    return " ".join(text.split())
