"""Declarations checked at random: draw, contact, outcome, and the money of a refused one."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from defis.clock import database_now
from participation.contributions.models import Contribution
from participation.contributions.services import start_contribution
from participation.identity import services as identity
from participation.identity.providers import provider_named
from participation.ledger.proof import prove
from participation.notifications.models import Message
from participation.payments.models import Refund
from participation.payments.port import provider_for
from participation.payments.refunds import run_refunds
from participation.payments.settlement import settle_payment
from participation.residency import audits
from participation.residency.services import ResidenceRefused, declare_residence, eligibility
from tests.money import world as money


@pytest.fixture
def campaign(transactional_db, settings):
    settings.ABONDE_PAYMENT_PROVIDERS = {"memory": {"ADAPTER": "tests.money.world.MemoryProvider"}}
    made = money.campaign(projects=1)
    commune = made.fund.territory.communes.get()
    commune.postal_codes = ["67600"]
    commune.save()
    return made


@pytest.fixture
def finance(db):
    return User.objects.create_user("finance")


def resident(campaign, number, cents=2_000):
    """Declared, contributed, paid."""
    provider = provider_named("franceconnect")
    person = identity.sign_in(
        provider=provider,
        subject=f"fc-{number}",
        claims={"email": f"p{number}@example.org", "birthdate": "1980-01-02"},
    )
    territory = campaign.fund.territory
    declare_residence(
        person=person, territory=territory, commune=territory.communes.get(), postal_code="67600"
    )
    contribution = start_contribution(
        person=person, project=campaign.projects.get(), amount_cents=cents, idempotency_key=uuid.uuid4()
    )
    provider_for("memory").pay(contribution.payments.get())
    settle_payment(contribution.payments.get())
    return person


def draw(campaign, by, size, **options):
    before = database_now() + timedelta(days=15)
    return audits.draw_audit(campaign=campaign, size=size, by=by, answer_before=before, **options)


def test_a_draw_is_repeated_by_anybody_who_has_its_seed(campaign, finance):
    people = [resident(campaign, number) for number in range(6)]
    audit = draw(campaign, finance, 3, seed="Loto 2026-11-23: 4 8 15 16 23 42")
    drawn = list(audit.cases.values_list("proof_id", flat=True))
    every = [person.residency_proofs.get().pk for person in people]
    assert audit.population == 6
    assert sorted(drawn) == sorted(sorted(every, key=lambda pk: audits.rank(audit.seed, pk))[:3])


def test_nobody_is_drawn_twice_and_a_draw_of_all_leaves_nobody(campaign, finance):
    for number in range(3):
        resident(campaign, number)
    assert draw(campaign, finance, 2).cases.count() == 2
    assert draw(campaign, finance, 2).cases.count() == 1
    with pytest.raises(ResidenceRefused) as refusal:
        draw(campaign, finance, 1)
    assert refusal.value.code == "nobody_to_draw"


def test_who_only_declared_is_not_drawn(campaign, finance):
    """Checking somebody whose money is not there would serve nobody."""
    territory = campaign.fund.territory
    person = identity.sign_in(provider=provider_named("franceconnect"), subject="x", claims={})
    declare_residence(
        person=person, territory=territory, commune=territory.communes.get(), postal_code="67600"
    )
    with pytest.raises(ResidenceRefused):
        draw(campaign, finance, 1)


def test_a_refused_declaration_gives_the_money_back_and_counts_no_more(campaign, finance):
    honest, other = resident(campaign, 1, 3_000), resident(campaign, 2, 2_000)
    audit = draw(campaign, finance, 2)
    cases = {case.proof.person_id: case for case in audit.cases.select_related("proof")}
    for case in cases.values():
        audits.contact(case=case, path="/residence/x/")
        audits.contact(case=case, path="/residence/x/")  # once is enough
    assert Message.objects.filter(kind="residence_drawn").count() == 2
    assert audits.waiting_cases(campaign) == 2
    audits.confirm_case(case=cases[honest.pk], by=finance)
    audits.refuse_case(case=cases[other.pk], reason="Habite à Lyon.", by=finance, path="/residence/x/")
    assert audits.waiting_cases(campaign) == 0
    assert (
        not eligibility(person=other, campaign=campaign).ok
        and eligibility(person=honest, campaign=campaign).ok
    )
    refund = Refund.objects.get()
    assert (refund.amount_cents, refund.reason) == (2_000, "residency")
    run_refunds()
    refund.refresh_from_db()
    assert refund.state == "done"
    states = dict(Contribution.objects.values_list("person_id", "state"))
    assert states == {honest.pk: "counted", other.pk: "refunded"}
    charged = provider_for("memory").charges.values()
    assert sorted(sum(r.amount_cents for r in charge.refunds) for charge in charged) == [0, 2_000]
    assert all(line.ok for line in prove())
    message = Message.objects.get(kind="residence_refused")
    assert "Habite à Lyon." in message.text


def test_a_refusal_needs_a_letter_first_and_a_reason(campaign, finance):
    resident(campaign, 1)
    case = draw(campaign, finance, 1).cases.get()
    for reason in ("", "Habite ailleurs."):
        with pytest.raises(ResidenceRefused):
            audits.refuse_case(case=case, reason=reason, by=finance)
    assert not Refund.objects.exists()


def test_an_outcome_is_given_once(campaign, finance):
    resident(campaign, 1)
    case = draw(campaign, finance, 1).cases.get()
    audits.contact(case=case, path="/")
    audits.confirm_case(case=case, by=finance)
    with pytest.raises(ResidenceRefused) as refusal:
        audits.refuse_case(case=case, reason="Non.", by=finance)
    assert refusal.value.code == "decided"


def test_money_that_arrives_after_the_refusal_goes_back_too(campaign, finance):
    """Her bank was still thinking when her declaration was refused."""
    other = resident(campaign, 1, 2_000)
    late = start_contribution(
        person=other, project=campaign.projects.get(), amount_cents=700, idempotency_key=uuid.uuid4()
    )
    case = draw(campaign, finance, 1).cases.get()
    audits.contact(case=case, path="/residence/x/")
    audits.refuse_case(case=case, reason="Habite à Lyon.", by=finance, path="/residence/x/")
    provider_for("memory").pay(late.payments.get())
    settle_payment(late.payments.get())
    late.refresh_from_db()
    assert late.state == "refunded"
    assert set(Refund.objects.values_list("amount_cents", "reason")) == {
        (2_000, "residency"),
        (700, "residency"),
    }
    run_refunds()
    assert sum(r.amount_cents for c in provider_for("memory").charges.values() for r in c.refunds) == 2_700
    assert Message.objects.filter(kind="refund_residency").count() == 1
    assert all(line.ok for line in prove())
