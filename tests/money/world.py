"""A small territory for tests about money: one fund, one open campaign, projects, people, a provider in memory."""

import itertools
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import connection

from defis.clock import database_now
from defis.models import (
    Campaign,
    Commune,
    Defi,
    Fund,
    Holder,
    Organisation,
    Pledge,
    Pot,
    Project,
    Territory,
)
from participation.contributions.selectors import payment_of
from participation.contributions.services import start_contribution
from participation.identity.models import Person, Voter, VoterMembership
from participation.payments.models import Payment
from participation.payments.port import (
    Capabilities,
    Hint,
    PaymentState,
    ProviderUnavailable,
    RefundMode,
    RefundSnapshot,
    RefundState,
    Snapshot,
    Started,
    UnknownReference,
    WebhookAuth,
)

_numbers = itertools.count(1)


def unproven(test):
    """Mark a test that shows what happens without a lock: the invariants do not hold after it."""
    test.unproven = True
    return test


def race(jobs: Sequence[Callable], workers: int = 8) -> list:
    """Run the jobs at once, each thread on its own connection; their results or exceptions, in order."""
    workers = min(workers, len(jobs))
    gate = threading.Barrier(workers)
    local = threading.local()

    def run(job):
        try:
            if not getattr(local, "started", False):
                local.started = True
                gate.wait(timeout=30)
            return job()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, jobs))


def organisation(kind: str = "foundation", **fields) -> Organisation:
    return Organisation.objects.create(**{"name": f"Organisation {next(_numbers)}", "kind": kind, **fields})


def campaign(*, projects: int = 0, holder: Organisation | None = None, **fields) -> Campaign:
    """An open campaign, rules frozen, 1 € to 1 000 €, with so many pre-selected projects of 100 €."""
    number = next(_numbers)
    territory = Territory.objects.create(name=f"Territoire {number}", slug=f"territoire-{number}")
    territory.communes.add(
        Commune.objects.create(
            insee=f"{number:05d}", name=f"Commune {number}", sort_name=f"commune {number}", department="67"
        )
    )
    holder = holder or organisation("foundation")
    authority = organisation("authority")
    fund = Fund.objects.create(
        name=f"Fonds {number}",
        slug=f"fonds-{number}",
        territory=territory,
        foundation=holder,
        authority=authority,
        legal_holder=holder,
        mandate_reference="Convention 2026-1",
    )
    now = database_now()
    made = Campaign.objects.create(
        **{
            "fund": fund,
            "name": f"Campagne {number}",
            "slug": f"campagne-{number}",
            "announced_at": now - timedelta(days=40),
            "opens_at": now - timedelta(days=10),
            "closes_at": now + timedelta(days=40),
            "rules_frozen_at": now - timedelta(days=11),
            "rules_sha256": "0" * 64,
            "collection_provider": "memory",
            "goal_min_cents": 1,
            "goal_max_cents": 10_000_000,
            **fields,
        }
    )
    for _ in range(projects):
        project(made)
    return made


def project(campaign: Campaign, **fields) -> Project:
    number = next(_numbers)
    defi, _ = Defi.objects.get_or_create(slug="defi", defaults={"name": "Défi"})
    campaign.defis.add(defi)
    holder = Holder.objects.create(
        name=f"Porteur {number}", legal_form="association", email="porteur@example.org"
    )
    return Project.objects.create(
        **{
            "campaign": campaign,
            "defi": defi,
            "holder": holder,
            "title": f"Projet {number}",
            "slug": f"projet-{number}",
            "summary": "Un projet.",
            "goal_cents": 10_000,
            "status": Project.Status.PRESELECTED,
            **fields,
        }
    )


def pledge(
    campaign: Campaign, cents: int, *, funder: Organisation | None = None, slug: str = "pot"
) -> Pledge:
    pot, _ = Pot.objects.get_or_create(
        campaign=campaign, slug=slug, defaults={"name": slug, "rule": "linear"}
    )
    return Pledge.objects.create(
        pot=pot, funder=funder or organisation("company"), amount_cents=cents, agreement_reference="A1"
    )


def person(**fields) -> Person:
    number = next(_numbers)
    return Person.objects.create(
        **{"display_name": f"Habitante {number}", "email": f"habitante{number}@example.org", **fields}
    )


def voter(person: Person, campaign: Campaign) -> Voter:
    """Make the person a voter of the campaign without going through sign-in."""
    made = Voter.objects.create(campaign=campaign, digest=uuid.uuid4().hex)
    VoterMembership.objects.create(voter=made, campaign=campaign, person=person)
    return made


def start(person: Person, project: Project, cents: int = 2_000, key: uuid.UUID | None = None) -> Payment:
    """A contribution of a person who is a voter; returns its payment, waiting at the provider."""
    contribution = start_contribution(
        person=person, project=project, amount_cents=cents, idempotency_key=key or uuid.uuid4()
    )
    return payment_of(contribution)


def resident(campaign: Campaign) -> Person:
    """A person who may vote in the campaign."""
    made = person()
    voter(made, campaign)
    return made


@dataclass
class Charge:
    key: uuid.UUID
    reference: str
    amount_cents: int
    state: PaymentState = PaymentState.CREATED
    paid_at: datetime | None = None
    currency: str = "EUR"
    fee_cents: int = 0
    disputed: bool = False
    our_key: uuid.UUID | None = None
    refunds: list[RefundSnapshot] = field(default_factory=list)


class MemoryProvider:
    """A provider that keeps its money in this object, and fails on demand.

    `idempotency=False` gives a new page and a new refund for each call. `fail_refund` is called with the request
    before ("before") and after ("after") the effect and may raise.
    """

    def __init__(self, *, name: str = "memory", idempotency: bool = True, **capabilities) -> None:
        self.name = name
        self.charges: dict[str, Charge] = {}
        self.calls: dict[str, int] = {"start": 0, "fetch": 0, "refund": 0, "find_refunds": 0}
        self.fail_refund = lambda request, when: None
        self.refund_state = RefundState.DONE
        self.capabilities = Capabilities(
            **{
                "idempotency": idempotency,
                "webhook_auth": WebhookAuth.NONE,
                "refunds": RefundMode.API,
                "partial_refunds": True,
                "lookup_refunds": True,
                "async_confirm": True,
                "needs_redirect": True,
                "settlements": True,
                "min_cents": 1,
                "call_seconds": 2,
                **capabilities,
            }
        )
        self.lines: list = []
        self.down = False

    def start(self, request) -> Started:
        self.calls["start"] += 1
        if self.down:
            raise ProviderUnavailable("down")
        if self.capabilities.idempotency:
            for charge in self.charges.values():
                if charge.key == request.key:
                    return Started(
                        provider_reference=charge.reference,
                        redirect_url=f"https://pay.example/{charge.reference}",
                    )
        reference = f"co_{uuid.uuid4().hex[:12]}"
        self.charges[reference] = Charge(request.key, reference, request.amount_cents, our_key=request.key)
        return Started(provider_reference=reference, redirect_url=f"https://pay.example/{reference}")

    def pay(self, payment, *, at: datetime | None = None, **fields) -> Charge:
        """The resident pays on the hosted page."""
        charge = self.charges[payment.provider_reference]
        charge.state = PaymentState.PAID
        charge.paid_at = at or database_now()
        for name, value in fields.items():
            setattr(charge, name, value)
        return charge

    def charge_of(self, payment) -> Charge:
        return self.charges[payment.provider_reference]

    def fetch(self, provider_reference, *, key=None, provider_payment="") -> Snapshot:
        self.calls["fetch"] += 1
        if self.down:
            raise ProviderUnavailable("down")
        charge = self.charges.get(provider_reference)
        if charge is None:
            charge = next((c for c in self.charges.values() if key is not None and c.key == key), None)
        if charge is None:
            raise UnknownReference("unknown")
        return Snapshot(
            provider_reference=charge.reference,
            state=charge.state,
            amount_cents=charge.amount_cents,
            currency=charge.currency,
            our_key=charge.our_key,
            paid_at=charge.paid_at,
            fee_cents=charge.fee_cents,
            refunded_cents=sum(r.amount_cents for r in charge.refunds if r.state != RefundState.FAILED),
            disputed=charge.disputed,
            raw_state=str(charge.state),
        )

    def refund(self, request) -> RefundSnapshot:
        self.calls["refund"] += 1
        self.fail_refund(request, "before")
        charge = self.charges[request.provider_reference]
        if self.capabilities.idempotency:
            for refund in charge.refunds:
                if refund.our_key == request.key:
                    return refund
        made = RefundSnapshot(
            provider_reference=f"re_{uuid.uuid4().hex[:12]}",
            state=self.refund_state,
            amount_cents=request.amount_cents,
            our_key=request.key if self.capabilities.idempotency else None,
            done_at=database_now() if self.refund_state == RefundState.DONE else None,
        )
        charge.refunds.append(made)
        self.fail_refund(request, "after")
        return made

    def find_refunds(self, provider_reference, *, provider_payment="") -> list[RefundSnapshot]:
        self.calls["find_refunds"] += 1
        if self.down:
            raise ProviderUnavailable("down")
        return list(self.charges[provider_reference].refunds)

    def settle_refunds(self, state: RefundState) -> None:
        """The bank has answered: every refund goes to this state."""
        for charge in self.charges.values():
            charge.refunds = [replace(r, state=state) for r in charge.refunds]

    def parse_webhook(self, headers, body, *, remote_ip="") -> list[Hint]:
        event_id, _, reference = body.decode().partition(" ")
        return [Hint(event_id=event_id, kind="payment", provider_reference=reference)]

    def settlements(self, since, until):
        return [line for line in self.lines if since <= line.at < until]

    def balance(self) -> int | None:
        return (
            sum(c.amount_cents for c in self.charges.values() if c.state == PaymentState.PAID)
            - self.returned()
        )

    def returned(self) -> int:
        return sum(
            r.amount_cents for c in self.charges.values() for r in c.refunds if r.state != RefundState.FAILED
        )
