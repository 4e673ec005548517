"""Files that others read: CSV with a schema, Pabulib, SCDL; small cells masked."""

import csv
import io
import json
import re

import pytest
import rounds
from django.utils.timezone import localdate

from fundmatch.engine.pabulib import read_pb
from fundmatch.opendata.scdl import is_siret
from fundmatch.opendata.tables import Column, Table
from fundmatch.services import close_campaign, publish_results, sign_run
from fundmatch.shares import content_digest, shares_of

pytestmark = pytest.mark.django_db


def published(campaign, agents):
    run = close_campaign(campaign=campaign)
    content = content_digest(run, shares_of(run))
    for role in ("communication", "foundation"):
        sign_run(run=run, user=agents[role], content_sha256=content)
    return publish_results(run=run, user=agents["communication"])


@pytest.fixture
def publication(closed_round, agents):
    return published(closed_round[0], agents)


@pytest.fixture
def popular(db):
    """A round where every project has at least five contributors: gifts may be listed."""
    campaign = rounds.make_campaign()
    first = rounds.make_project(campaign, "Verger", 20_000)
    second = rounds.make_project(campaign, "Four à pain", 20_000)
    rounds.make_pot(campaign, "cea", "linear", {"": ("authority", 100_000)})
    rounds.open_campaign(campaign)
    people = rounds.make_people(campaign, 6)
    rounds.give_many(campaign, first, 2_000, people)
    rounds.give_many(campaign, second, 3_000, people[:5])
    rounds.give_many(campaign, second, 500, people[:1])
    agents = {role: rounds.make_user(campaign, role) for role in ("communication", "foundation")}
    return published(campaign, agents), people


def rows_of(response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))


def test_projects_csv_says_what_was_published_and_masks_small_counts(publication, client):
    rows = {
        row["titre"]: row for row in rows_of(client.get(f"/donnees/{publication.campaign.slug}/projets.csv"))
    }
    assert rows["Abris"]["total_euros"] == "1400.00"
    assert rows["Abris"]["habitants"] == "25"
    assert (rows["Bancs"]["habitants"], rows["Bancs"]["habitants_masque"]) == ("", "oui")
    assert (rows["Bancs"]["finance"], rows["Bancs"]["rembourse_euros"]) == ("non", "400.00")


def test_every_file_follows_its_schema(publication, client):
    base = f"/donnees/{publication.campaign.slug}/"
    package = json.loads(client.get(f"{base}datapackage.json").content)
    checks = {
        "number": re.compile(r"-?\d+(\.\d+)?"),
        "integer": re.compile(r"-?\d+"),
        "boolean": re.compile(r"oui|non"),
        "date": re.compile(r"\d{4}-\d{2}-\d{2}"),
        "string": re.compile(r"[^\n]+"),
    }
    assert {resource["name"] for resource in package["resources"]} >= {"projets", "financements", "communes"}
    for resource in package["resources"]:
        response = client.get(base + resource["path"])
        assert response.status_code == 200, resource["path"]
        reader = csv.reader(io.StringIO(response.content.decode(), newline=""))
        fields = resource["schema"]["fields"]
        assert next(reader) == [field["name"] for field in fields]
        for row in reader:
            for field, value in zip(fields, row, strict=True):
                constraints = field.get("constraints", {})
                assert value or not constraints.get("required"), (field, row)
                if value:
                    assert checks[field["type"]].fullmatch(value), (field, value)
                    assert re.search(constraints.get("pattern", ""), value), (field, value)


def test_scdl_has_the_authority_s_money_only(publication, client, data_dir):
    response = client.get(f"/donnees/{publication.campaign.slug}/subventions-scdl.csv")
    rows = rows_of(response)
    with (data_dir / "scdl" / "scdl_subventions_columns.csv").open(encoding="utf-8") as file:
        columns = list(csv.DictReader(file))
    assert list(rows[0]) == [column["name"] for column in columns]
    assert {row["nomAttribuant"] for row in rows} == {publication.campaign.fund.authority.name}
    assert sorted(row["montant"] for row in rows) == ["300.00", "81.00"]
    for row in rows:
        for column in columns:
            value = row[column["name"]]
            assert value or column["required"] != "True", column["name"]
            if value and column["pattern"]:
                assert re.search(column["pattern"], value), column["name"]
            if value and column["enum"]:
                assert value in column["enum"].split("|")
            if column["maxLength"]:
                assert len(value) <= int(column["maxLength"])
        assert is_siret(row["idBeneficiaire"]) or row["rnaBeneficiaire"]


def test_scdl_is_refused_with_the_list_of_who_lacks_a_number(closed_round, agents, client):
    campaign, projects = closed_round
    holder = projects["Cour"].holder
    holder.siret = ""
    holder.save()
    publication = published(campaign, agents)
    assert client.get(f"/donnees/{campaign.slug}/subventions-scdl.csv").status_code == 404
    page = client.get(f"/donnees/{campaign.slug}/").content.decode()
    assert holder.name in page
    assert publication.campaign_id == campaign.pk


def test_pabulib_file_reads_back_to_the_same_gifts(popular, client, tmp_path):
    publication, people = popular
    slug = publication.campaign.slug
    path = tmp_path / "round.pb"
    path.write_bytes(client.get(f"/donnees/{slug}/{slug}.pb").content)
    election = read_pb(path)
    assert election.meta["vote_type"] == "cumulative"
    assert len(election.votes) == 6
    given = sorted(tuple(sorted(vote.values())) for vote in election.votes.values())
    assert given == [(2_000,), *[(2_000, 3_000)] * 4, (2_000, 3_500)]
    assert len(election.selected) == 2
    for _person, voter in people:
        assert f"v{voter.pk}" not in election.votes


def test_no_ballots_where_gifts_would_expose_people(publication, client):
    slug = publication.campaign.slug
    assert publication.lists_gifts is False
    assert client.get(f"/donnees/{slug}/{slug}.pb").status_code == 404


def test_text_that_a_spreadsheet_would_execute_is_quoted():
    table = Table("t", "t", (Column("a", "a"),))
    assert table.csv([["=1+1"], ["-2"], ["Bancs"]]).splitlines()[1:] == ["'=1+1", "'-2", "Bancs"]


@pytest.mark.parametrize(
    ("number", "right"),
    [("73282932000074", True), ("73282932000075", False), ("35600000000048", True), ("7328293200007", False)],
)
def test_siret_check_digit(number, right):
    assert is_siret(number) is right


def test_nothing_is_open_before_publication(closed_round, client):
    campaign, _projects = closed_round
    for path in ("", "projets.csv", "datapackage.json"):
        assert client.get(f"/donnees/{campaign.slug}/{path}").status_code == 404
    assert f"/donnees/{campaign.slug}/" not in client.get("/donnees/").content.decode()


def test_dates_are_those_of_the_publication(publication, client):
    row = rows_of(client.get(f"/donnees/{publication.campaign.slug}/subventions-scdl.csv"))[0]
    assert row["datesPeriodeVersement"] == localdate(publication.published_at).isoformat()
