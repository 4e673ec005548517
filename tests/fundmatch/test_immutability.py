"""What was computed, signed and published stays as it was written, even by SQL."""

from datetime import timedelta

import pytest
import rounds
from django.db import DatabaseError, connection, transaction

from defis.clock import database_now
from fundmatch.models import Override
from fundmatch.services import close_campaign, override_share, publish_results, rehearse, sign_run
from fundmatch.shares import content_digest, shares_of

pytestmark = pytest.mark.django_db

RUN, SIGNATURE = "abonde_fundmatch_matchrun", "abonde_fundmatch_signature"
PUBLICATION, ALLOCATION = "abonde_fundmatch_publication", "abonde_fundmatch_allocation"


def refused(sql: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(sql)
    except DatabaseError as error:
        return "abonde:" in str(error)
    return False


@pytest.fixture
def published(closed_round, agents):
    campaign, _projects = closed_round
    run = close_campaign(campaign=campaign)
    content = content_digest(run, shares_of(run))
    sign_run(run=run, user=agents["communication"], content_sha256=content)
    sign_run(run=run, user=agents["foundation"], content_sha256=content)
    return publish_results(run=run, user=agents["communication"])


def test_sql_cannot_rewrite_what_is_published(published):
    for sql in (
        f"UPDATE {RUN} SET result_sha256 = 'x'",
        f"DELETE FROM {RUN}",
        f"TRUNCATE {RUN} CASCADE",
        f"UPDATE {SIGNATURE} SET content_sha256 = 'x'",
        f"DELETE FROM {SIGNATURE}",
        f"UPDATE {PUBLICATION} SET reason = 'x'",
        f"DELETE FROM {PUBLICATION}",
        f"UPDATE {ALLOCATION} SET amount_cents = amount_cents + 1",
        f"DELETE FROM {ALLOCATION}",
        f"TRUNCATE {ALLOCATION}",
    ):
        assert refused(sql), sql


def test_a_correction_is_open_until_somebody_signs(closed_round, agents):
    campaign, projects = closed_round
    run = close_campaign(campaign=campaign)
    override = override_share(
        run=run,
        project=projects["Cour"],
        pot=campaign.pots.get(slug="fonds"),
        amount_cents=29_000,
        reason="Devis revu",
        user=agents["foundation"],
    )
    Override.objects.filter(pk=override.pk).update(amount_cents=28_000)
    sign_run(run=run, user=agents["communication"], content_sha256=content_digest(run, shares_of(run)))
    table = "abonde_fundmatch_override"
    assert refused(f"UPDATE {table} SET amount_cents = 1")
    assert refused(f"DELETE FROM {table}")
    assert refused(
        f"INSERT INTO {table} (run_id, project_id, pot_id, amount_cents, reason, decided_by_id, decided_at) "
        f"SELECT run_id, {projects['Abris'].pk}, pot_id, 1, 'x', decided_by_id, decided_at FROM {table}"
    )


def test_a_rehearsal_is_not_signed_and_may_be_deleted(db):
    campaign = rounds.make_campaign(closes_at=database_now() + timedelta(days=1))
    project = rounds.make_project(campaign, "Mare", 10_000)
    rounds.make_pot(campaign, "cea", "linear", {"": ("authority", 5_000)})
    rounds.open_campaign(campaign)
    rounds.give(campaign, project, 2_000)
    run = rehearse(campaign=campaign)
    user = rounds.make_user(campaign, "foundation")
    assert refused(
        f"INSERT INTO {SIGNATURE} (run_id, side, signed_by_id, signed_at, content_sha256) "
        f"VALUES ({run.pk}, 'foundation', {user.pk}, now(), 'x')"
    )
    run.delete()


def test_a_publication_needs_two_signatures_of_the_same_content(closed_round, agents):
    campaign, _projects = closed_round
    run = close_campaign(campaign=campaign)
    user = agents["communication"]
    insert = (
        f"INSERT INTO {PUBLICATION} (campaign_id, version, run_id, reason, dossier, dossier_sha256, "
        "input_sha256, result_sha256, merkle_root, outcomes, facts, lists_gifts, by_commune, published_at, "
        f"published_by_id) VALUES ({campaign.pk}, 1, {run.pk}, '', 'd', 'd', 'i', 'r', 'm', '{{}}', '{{}}', "
        f"true, '{{}}', now(), {user.pk})"
    )
    assert refused(insert)
    sign_run(run=run, user=user, content_sha256=content_digest(run, shares_of(run)))
    assert refused(insert)
