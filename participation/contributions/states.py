"""The states gallery's part of this room: every row of the call to action, every word about a payment.

Samples in the pages' first language, as in theme.states: not part of the interface.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from django.http import HttpRequest

from defis.models import Project
from participation.contributions.call_to_action import Addresses, Situation, Standing, call_to_action
from participation.contributions.models import Contribution
from participation.contributions.telling import tell
from participation.payments.models import Payment
from theme.states import State

OPEN = Situation(
    state="open",
    opens_at=datetime(2027, 3, 2, 8, tzinfo=UTC),
    closes_at=datetime(2027, 5, 4, 18, tzinfo=UTC),
    results_at=datetime(2027, 5, 12, 8, tzinfo=UTC),
    territory="Alsace",
    received_cents=984_000,
    threshold_cents=750_000,
)
KNOWN = Standing(known=True, left_cents=15_000, ceiling_cents=20_000)
GIVEN_AT = datetime(2027, 3, 3, 11, tzinfo=UTC)

SITUATIONS: dict[str, Situation] = {
    "a-venir": replace(OPEN, state="coming"),
    "anonyme": OPEN,
    "residence-inconnue": replace(OPEN, standing=replace(KNOWN, eligibility="residence")),
    "verifiee": replace(OPEN, standing=KNOWN),
    "a-donne": replace(OPEN, standing=replace(KNOWN, given_cents=2_000, given_at=GIVEN_AT)),
    "plafond": replace(OPEN, standing=replace(KNOWN, left_cents=0, given_cents=20_000, given_at=GIVEN_AT)),
    "non-eligible": replace(
        OPEN, standing=replace(KNOWN, eligibility="age", eligibility_sentence="Il faut avoir 18 ans.")
    ),
    "paiement-en-attente": replace(OPEN, standing=replace(KNOWN, pending="7K2M9QXWPC")),
    "paiement-commence": replace(
        OPEN, standing=replace(KNOWN, unfinished="7K2M9QXWPC", unfinished_cents=2_000)
    ),
    "paiement-echoue": replace(OPEN, standing=replace(KNOWN, failed="7K2M9QXWPC")),
    "seuil-atteint": replace(OPEN, threshold_reached=True, standing=KNOWN),
    "objectif-atteint": replace(OPEN, threshold_reached=True, goal_reached=True, standing=KNOWN),
    "objectif-ferme": replace(OPEN, goal_reached=True, closed_by_goal=True),
    "fermee": replace(OPEN, state="closed"),
    "finance": replace(OPEN, state="funded"),
    "finance-j-ai-donne": replace(OPEN, state="funded", standing=replace(KNOWN, given_cents=2_000)),
    "non-finance": replace(OPEN, state="not_funded"),
    "rembourse": replace(
        OPEN,
        state="not_funded",
        standing=replace(KNOWN, refund="7K2M9QXWPC", refund_cents=2_000, refunded_at=GIVEN_AT),
    ),
    "remboursement-en-cours": replace(
        OPEN, state="not_funded", standing=replace(KNOWN, refund="7K2M9QXWPC", refund_cents=2_000)
    ),
    "annule": replace(OPEN, state="cancelled"),
    "propose": replace(OPEN, state="proposed"),
}
ADDRESSES = Addresses(
    "#contribuer", "#residence", "#mes-contributions", "#projet", "#projets", "#{reference}"
)

PAYMENTS = {
    "confirme": (Contribution.State.COUNTED, Payment.State.PAID),
    "en-attente": (Contribution.State.STARTED, Payment.State.PENDING),
    "non-confirme": (Contribution.State.STARTED, Payment.State.CREATED),
    "refuse": (Contribution.State.FAILED, Payment.State.FAILED),
    "abandonne": (Contribution.State.ABANDONED, Payment.State.EXPIRED),
    "a-verifier": (Contribution.State.STARTED, Payment.State.REVIEW),
}


def gallery_states(request: HttpRequest) -> list[State]:
    """Hook `abonde_gallery_states`."""
    return [*_actions(), *_statuses()]


def _actions() -> Iterator[State]:
    template = "theme/components/call_to_action.html"
    for name, situation in SITUATIONS.items():
        action = call_to_action(situation, ADDRESSES)
        yield State(f"appel-{name}", f"Appel : {name}", template, {"action": action})


def _statuses() -> Iterator[State]:
    for name, (contribution_state, payment_state) in PAYMENTS.items():
        contribution = Contribution(
            amount_cents=2_000, state=contribution_state, project=Project(title="Le jardin des voisins")
        )
        told = tell(contribution, Payment(state=payment_state, redirect_url="https://paiement.example/"))
        context = {"kind": told.kind, "title": told.title, "text": told.text, "reference": "7K2M9QXWPC"}
        yield State(
            f"paiement-{name}", f"Paiement : {name}", "theme/components/panel.html", {**context, "level": 3}
        )
