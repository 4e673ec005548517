"""A real election becomes a campaign: projects, pages, gifts, ledger; twice is once."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from wagtail.models import Page, Site

from defis.models import Campaign, Project, ProjectIndexPage, ProjectPage
from participation.contributions.models import Contribution
from participation.ledger.models import LedgerEntry

SMALL = """META
key;value
description;Budget participatif de Test
country;France
unit;Testville
instance;2024
num_projects;3
num_votes;3
budget;1000
vote_type;approval
rule;greedy
date_begin;01.03.2024
date_end;15.03.2024
PROJECTS
project_id;cost;votes;name
1;400;2;Un banc
2;900;2;"Une allée; des arbres"
3;100;0;Une boîte à livres
VOTES
voter_id;vote
a;1,2
b;2
c;1
"""


@pytest.fixture
def index(db):
    root = Page.get_first_root_node()
    site = Site.objects.get(is_default_site=True)
    index = ProjectIndexPage(title="Projets", slug="projets")
    site.root_page.add_child(instance=index)
    assert root is not None
    return index


@pytest.fixture
def small(tmp_path) -> Path:
    path = tmp_path / "small.pb"
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_an_election_becomes_a_campaign_with_its_pages_and_gifts(index, small, client):
    call_command("import_pabulib", str(small))
    campaign = Campaign.objects.get()
    assert campaign.name == "Testville 2024"
    assert campaign.rules_sha256
    given = {
        project.title: project.contributions.aggregate(cents=Sum("amount_cents"))["cents"]
        for project in campaign.projects.all()
    }
    # Ten euros for each approval: two voters chose the bench, two the alley, nobody the box of books.
    assert given == {"Un banc": 2000, "Une allée; des arbres": 2000, "Une boîte à livres": None}
    assert LedgerEntry.objects.aggregate(cents=Sum("amount_cents"))["cents"] == 4000
    assert client.get("/projets/").status_code == 200
    assert "Une allée; des arbres" in client.get("/projets/").content.decode()


def test_importing_again_changes_nothing(index, small, capsys):
    call_command("import_pabulib", str(small))
    before = (Project.objects.count(), ProjectPage.objects.count(), Contribution.objects.count())
    call_command("import_pabulib", str(small))
    assert (Project.objects.count(), ProjectPage.objects.count(), Contribution.objects.count()) == before
    assert "0 new projects, 0 new pages, 0 new gifts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (("c;1", "c;9"), "9"),
        (("vote_type;approval", "vote_type;ordinal"), "ordinal"),
        (("date_begin;01.03.2024", "date_begin;bientôt"), "bientôt"),
    ],
)
def test_a_damaged_file_is_refused_with_what_is_wrong_and_nothing_is_kept(index, small, damage, sentence):
    small.write_text(SMALL.replace(*damage), encoding="utf-8")
    with pytest.raises(CommandError, match=sentence):
        call_command("import_pabulib", str(small))
    assert not Campaign.objects.exists()
    assert not Contribution.objects.exists()


def test_a_missing_file_is_said_plainly(db, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_pabulib", str(tmp_path / "absent.pb"))


@pytest.mark.slow
def test_toulouse_2022_is_imported_whole_and_listed_in_constant_queries(
    index, data_dir, client, django_assert_max_num_queries
):
    path = data_dir / "pabulib" / "France_Toulouse_2022.pb"
    if not path.exists():
        pytest.skip(f"absent: {path}")
    call_command("import_pabulib", str(path))
    # The judge is the file itself, read by another reader.
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines(), delimiter=";"))
    start = next(i for i, row in enumerate(rows) if row == ["VOTES"]) + 2
    approvals = Counter(project for row in rows[start:] for project in row[1].split(","))
    assert len(approvals) <= 199
    given = dict(
        Contribution.objects.values_list("project__external_id")
        .annotate(cents=Sum("amount_cents"))
        .order_by()
    )
    assert given == {project: 1000 * votes for project, votes in approvals.items()}
    assert Project.objects.count() == 199
    client.get("/projets/")  # caches of sites and locales
    with django_assert_max_num_queries(8):
        page = client.get("/projets/")
    assert "199" in page.content.decode()
