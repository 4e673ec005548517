"""Nothing is published while somebody who was drawn has not answered."""

from datetime import timedelta

import pytest

from defis.clock import database_now
from fundmatch.checks import blocking, run_checks
from fundmatch.services.closing import close_campaign
from participation.contributions.models import Contribution
from participation.residency import audits
from participation.residency.models import ResidencyProof
from tests.fundmatch.rounds import make_round, make_user


@pytest.mark.django_db(transaction=True)
def test_a_drawn_declaration_without_an_outcome_blocks_the_publication():
    campaign, _projects = make_round()
    agent = make_user(campaign, "administrator")
    giver = Contribution.objects.filter(campaign=campaign, person__isnull=False).first()
    ResidencyProof.objects.create(
        person=giver.person,
        territory=campaign.fund.territory,
        method="declaration",
        result="accepted",
        checked_at=database_now(),
    )
    run = close_campaign(campaign=campaign)
    assert "residence" not in {check.code for check in blocking(run_checks(run))}
    later = database_now() + timedelta(days=15)
    case = audits.draw_audit(campaign=campaign, size=1, by=agent, answer_before=later).cases.get()
    assert "residence" in {check.code for check in blocking(run_checks(run))}
    audits.confirm_case(case=case, by=agent)
    assert "residence" not in {check.code for check in blocking(run_checks(run))}
