"""What the site says before the result: aid and simulator, from sums, in a constant number of queries."""

from datetime import timedelta

import pytest
import rounds
from django.db import connection
from django.test.utils import CaptureQueriesContext

from defis.clock import database_now
from defis.funding import funding_of, simulate
from fundmatch import estimates
from fundmatch.services import close_campaign, publish_results, sign_run
from fundmatch.shares import content_digest, shares_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept(settings):
    settings.ABONDE_ESTIMATE_SECONDS = 0
    estimates.forget()


def open_round(pots, gifts):
    """`pots`: arguments of make_pot; `gifts`: {title: (people, cents)}."""
    campaign = rounds.make_campaign(closes_at=database_now() + timedelta(days=20))
    projects = {title: rounds.make_project(campaign, title, 1_000_000) for title in gifts}
    for slug, rule, pledges, fields in pots:
        rounds.make_pot(campaign, slug, rule, pledges, **fields)
    rounds.open_campaign(campaign)
    for title, (people, cents) in gifts.items():
        rounds.give_many(campaign, projects[title], cents, rounds.make_people(campaign, people))
    return projects


CEA = ("cea", "linear", {"": ("authority", 100_000)}, {})
FONDS = ("fonds", "quadratic", {"Acme": ("company", 100_000)}, {})


def test_a_linear_aid_is_exact_while_the_pot_lasts():
    projects = open_round([CEA], {"Mare": (3, 1_000)})
    funding = funding_of([projects["Mare"]])[projects["Mare"].pk]
    assert (funding.aid_low_cents, funding.aid_high_cents) == (3_000, 3_000)
    [line] = funding.aid_lines
    assert (line.kind, line.cents) == ("authority", 3_000)
    [answer] = simulate(projects["Mare"], funding, [2_000])
    assert (answer.low_cents, answer.high_cents) == (4_000, 4_000)


def test_an_exhausted_pot_says_so_and_promises_nothing():
    projects = open_round([CEA], {"Mare": (2, 60_000), "Haie": (1, 1_000)})
    funding = funding_of([projects["Haie"]])[projects["Haie"].pk]
    # 100 000 for 121 000 called: Haie gets 1 000 × 100/121 = 826.4, and less if the others go on.
    assert funding.aid_high_cents == 826
    assert funding.aid_low_cents < 826
    [answer] = simulate(projects["Mare"], funding_of([projects["Mare"]])[projects["Mare"].pk], [1_000])
    assert answer.low_cents < answer.amount_cents + 1_000


def test_a_quadratic_aid_is_a_range_that_never_promises_more_than_today():
    """9 × 9 € and 4 × 100 €: raws 64 800 and 120 000 cents for 100 000, so 35 064.9 and 64 935.1."""
    projects = open_round([FONDS], {"Cour": (9, 900), "Bancs": (4, 10_000)})
    found = funding_of(list(projects.values()))
    cour = found[projects["Cour"].pk]
    assert cour.aid_high_cents == 35_065
    assert 0 < cour.aid_low_cents < 35_065
    assert found[projects["Bancs"].pk].aid_high_cents == 64_935


def test_one_more_gift_says_what_the_others_lose():
    """A new donor of 9 € on Cour: S goes from 270 to 300, raw from 64 800 to 81 000; 201 000 called for 100 000.

    Own gain 81 000/201 000 × 100 000 − 35 064.9 = 5 233.6; Bancs falls to 59 701.5 and loses as much.
    """
    projects = open_round([FONDS], {"Cour": (9, 900), "Bancs": (4, 10_000)})
    cour = projects["Cour"]
    [answer] = simulate(cour, funding_of([cour])[cour.pk], [900])
    assert answer.low_cents <= 900 + 5_234 <= answer.high_cents
    assert "52\u00a0€" in answer.note


def test_the_first_person_is_told_when_the_aid_starts():
    projects = open_round([FONDS], {"Cour": (0, 900), "Bancs": (4, 10_000)})
    cour = projects["Cour"]
    [answer] = simulate(cour, funding_of([cour])[cour.pk], [900])
    assert (answer.low_cents, answer.high_cents) == (900, 900)
    assert answer.note


def test_a_cap_per_person_is_known_to_the_estimate():
    capped = ("cea", "linear", {"": ("authority", 100_000)}, {"cap_per_donor_cents": 500})
    projects = open_round([capped], {"Mare": (3, 1_000)})
    assert funding_of([projects["Mare"]])[projects["Mare"].pk].aid_high_cents == 1_500


def test_queries_do_not_grow_with_projects_nor_gifts():
    few = open_round([CEA, FONDS], {"A": (2, 500)})
    many = open_round([CEA, FONDS], {f"P{n}": (5, 500) for n in range(12)})
    counts = []
    for projects in (few, many):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            estimates.live_campaigns({next(iter(projects.values())).campaign_id})
        counts.append(len(queries))
    assert counts == [3, 3]


def test_figures_are_kept_a_few_seconds(settings):
    settings.ABONDE_ESTIMATE_SECONDS = 60
    projects = open_round([CEA], {"Mare": (3, 1_000)})
    campaign_id = projects["Mare"].campaign_id
    estimates.live_campaigns({campaign_id})
    with CaptureQueriesContext(connection) as queries:
        estimates.live_campaigns({campaign_id})
    assert len(queries) == 0


def test_published_figures_replace_the_estimate(closed_round, agents):
    campaign, projects = closed_round
    run = close_campaign(campaign=campaign)
    for role in ("communication", "foundation"):
        sign_run(run=run, user=agents[role], content_sha256=content_digest(run, shares_of(run)))
    publish_results(run=run, user=agents["communication"])
    for project in projects.values():
        project.refresh_from_db()
    found = funding_of(list(projects.values()))
    abris, bancs = found[projects["Abris"].pk], found[projects["Bancs"].pk]
    assert abris.final and abris.received_cents == 140_000 and abris.aid_high_cents is None
    assert {line.kind: line.cents for line in abris.matches} == {"authority": 30_000, "company": 70_000}
    # What residents had given stays told, though the money went back.
    assert bancs.final and bancs.citizens_cents == 40_000 and bancs.matches == []
