"""What must be true before results are signed and published: all green, or blocked.

Each check recomputes something from its source; none trusts a figure that the run wrote about itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from django.core.cache import cache
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from defis.models import Campaign, Holder
from defis.rules import digest as rules_digest
from defis.rules import rules_of
from fundmatch.engine import InputError, compute
from fundmatch.engine.reading import read_input
from fundmatch.engine.version import engine_name
from fundmatch.models import MatchRun
from fundmatch.opendata.scdl import beneficiaries_without_id
from fundmatch.selectors import published_run
from fundmatch.shares import Shares, pots_of, shares_of
from fundmatch.snapshots import picture_of, with_decided_gifts
from participation.contributions.models import Contribution
from participation.contributions.statistics import figures_of
from participation.ledger.accounts import bank, clearing
from participation.ledger.proof import prove
from participation.ledger.selectors import balances
from participation.ledger.services import balance_of
from participation.payments.models import Payment, Refund
from participation.residency.audits import waiting_cases
from theme.money import format_euros

#: an exact recomputation takes seconds on a million gifts, and cannot change for a given run and engine
_RECOMPUTED_FOR = 24 * 3600
_PROVEN_FOR = 120


@dataclass(frozen=True, slots=True)
class Check:
    """One line of « what will be published ». A red one blocks, unless it only warns."""

    code: str
    label: str
    ok: bool
    detail: str = ""
    warns: bool = False


def blocking(checks: Iterable[Check]) -> list[Check]:
    """Return the red checks that forbid signing and publishing."""
    return [check for check in checks if not check.ok and not check.warns]


def run_checks(run: MatchRun, *, fresh: bool = False) -> list[Check]:
    """Return every check of a run, in the order a reader follows. `fresh`: recompute even what is cached."""
    shares = shares_of(run)
    checks = [
        _recomputation(run, fresh=fresh),
        *_sums(run, shares),
        _threshold(run, shares),
        _rules(run),
        _refund_cover(run, shares),
        _legal_ids(run, shares),
    ]
    if run.is_final and not hasattr(run, "publication"):
        published = published_run(run.campaign)
        checks += [
            _pending(run.campaign),
            _residence(run.campaign),
            _same_gifts(run, published),
            _statistics(run, published),
        ]
        checks.append(_ledger(run) if published is None else _outcomes(run, published))
        checks.append(_invariants(run.campaign, fresh=fresh))
    return checks


def _recomputation(run: MatchRun, *, fresh: bool) -> Check:
    key = f"abonde:recomputed:{run.pk}:{run.result_sha256}:{slugify(engine_name())}"
    difference = None if fresh else cache.get(key)
    if difference is None:
        difference = _recompute(run)
        cache.set(key, difference, _RECOMPUTED_FOR)
    return Check(
        "recomputation",
        _("The calculation, done again from the gifts, gives the same result and the same digests"),
        not difference,
        difference,
    )


def _recompute(run: MatchRun) -> str:
    try:
        again = compute(run.read_input())
    except InputError as error:
        return str(error)
    if again["input_sha256"] != run.input_sha256:
        return _("The digest of the data differs.")
    if again["result_sha256"] != run.result_sha256:
        return _("The digest of the result differs.")
    without = {"engine"}
    if {k: v for k, v in again.items() if k not in without} != {
        k: v for k, v in run.result.items() if k not in without
    }:
        return _("The stored result differs from its own digest.")
    return ""


def _sums(run: MatchRun, shares: Shares) -> list[Check]:
    spent, caps, funders = [], [], []
    for pot in pots_of(run):
        name, paid = pot["id"], shares.spent_cents(pot["id"])
        if paid > pot["budget_cents"]:
            spent.append(f"{name}: {format_euros(paid)} > {format_euros(pot['budget_cents'])}")
        corrected = any(name in share.corrections for share in shares.projects.values())
        if not corrected and paid != run.result["pots"][name]["spent_cents"]:
            spent.append(f"{name}: {format_euros(paid)} ≠ {run.result['pots'][name]['spent_cents']}")
        cap = pot["cap_per_project_cents"]
        if cap is not None:
            caps += [
                f"{name} → {share.reference}: {format_euros(share.match[name])}"
                for share in shares.projects.values()
                if share.match.get(name, 0) > cap
            ]
        funders += _funders(pot, shares, paid)
    return [
        Check(
            "spent",
            _("The shares add up to what each pot spends, and no pot spends more than it has"),
            not spent,
            "; ".join(spent),
        ),
        Check("caps", _("No project receives more than the cap"), not caps, "; ".join(caps)),
        Check(
            "funders",
            _("What the funders pay adds up to the cent, and none pays more than it promised"),
            not funders,
            "; ".join(funders),
        ),
    ]


def _funders(pot: dict[str, Any], shares: Shares, paid: int) -> list[str]:
    matrix = shares.funders.get(pot["id"], {})
    problems = []
    if sum(sum(cells.values()) for cells in matrix.values()) != paid:
        problems.append(pot["id"])
    for funder in pot["funders"] or []:
        if sum(matrix.get(funder["id"], {}).values()) > funder["pledge_cents"]:
            problems.append(f"{pot['id']} ← {funder['id']}")
    for reference, share in shares.projects.items():
        if sum(cells.get(reference, 0) for cells in matrix.values()) != share.match.get(pot["id"], 0):
            problems.append(f"{pot['id']} → {reference}")
    return problems


def _threshold(run: MatchRun, shares: Shares) -> Check:
    rule, goals = run.parameters["threshold"], _goals(run)
    wrong = [share.reference for share in shares.projects.values() if not share.funded and share.match_cents]
    if rule is not None:
        ratio = Fraction(rule["ratio"])
        for share in shares.funded:
            base = share.total_cents if rule["base"] == "total" else share.citizens_cents
            if base * ratio.denominator < goals[share.reference] * ratio.numerator:
                wrong.append(share.reference)
    return Check(
        "threshold",
        _("Every funded project reaches the threshold, and no other receives money"),
        not wrong,
        ", ".join(sorted(wrong)),
    )


def _goals(run: MatchRun) -> dict[str, int]:
    return {project["id"]: project["goal_cents"] for project in run.parameters["projects"]}


def _rules(run: MatchRun) -> Check:
    campaign = run.campaign
    if not run.is_final and campaign.rules_frozen_at is None:
        return Check("rules", _("The rules are frozen"), False, _("They freeze at the opening."), warns=True)
    frozen = campaign.rules_frozen_at is not None and campaign.rules_sha256 == run.rules_sha256
    return Check(
        "rules",
        _("The rules are those that were frozen, to the letter"),
        frozen and rules_digest(rules_of(campaign)) == run.rules_sha256,
        "" if frozen else _("The campaign's rules are not those of this calculation."),
    )


def _pending(campaign: Campaign) -> Check:
    waiting = (
        Payment.objects.filter(contribution__campaign=campaign, created_at__lt=campaign.closes_at)
        .filter(state__in=[*Payment.OPEN, Payment.State.REVIEW])
        .count()
    )
    detail = ""
    if waiting:
        detail = ngettext(
            "%(count)d payment still waits for its provider or for a human.",
            "%(count)d payments still wait for their provider or for a human.",
            waiting,
        ) % {"count": waiting}
    return Check("pending", _("No payment of before the bell is undecided"), not waiting, detail)


def _residence(campaign: Campaign) -> Check:
    waiting = waiting_cases(campaign)
    detail = _("%(count)d drawn and without an outcome.") % {"count": waiting} if waiting else ""
    return Check(
        "residence", _("Every declaration of residence that was drawn is decided"), not waiting, detail
    )


def _same_gifts(run: MatchRun, published: MatchRun | None) -> Check:
    picture = picture_of(run.campaign, bytes(run.donor_key))
    if published is not None:
        picture = with_decided_gifts(picture, published)
    same = picture.references == run.read_references() and picture.value == run.read_input()
    return Check(
        "same_gifts",
        _("The gifts and the rules are still those that were calculated"),
        same,
        "" if same else _("Something changed since: calculate again."),
    )


def _statistics(run: MatchRun, published: MatchRun | None) -> Check:
    """Compare with the figures that the site showed while the campaign was open (fundmatch/1, section 7)."""
    problem = read_input(run.read_input())
    power, citizens, donors = problem.money.power(0), problem.money.citizens(), problem.money.donors()
    decided = set()
    if published is not None:
        decided = {ref for ref, row in published.result["projects"].items() if not row["funded"]}
    projects = {project.reference: project.pk for project in run.campaign.projects.all()}
    live = figures_of(list(projects.values()))
    wrong = []
    for rank, project in enumerate(problem.projects):
        if project.id in decided or project.id not in projects:
            continue
        exact = (citizens[rank], donors[rank], power.cents[rank], power.donors[rank], power.roots[rank])
        figures = live.get(projects[project.id])
        shown = (0, 0, 0, 0, 0)
        if figures is not None:
            shown = (
                figures.citizens_cents,
                figures.donors,
                figures.matchable_cents,
                figures.matchable_donors,
                figures.sum_of_roots,
            )
        if shown != exact:
            wrong.append(project.id)
    return Check(
        "statistics",
        _("The figures shown during the collection equal the exact ones"),
        not wrong,
        ", ".join(wrong),
    )


def _ledger(run: MatchRun) -> Check:
    campaign = run.campaign
    codes = balances(campaign.fund.legal_holder, campaign=campaign)
    held = {
        code.removeprefix("escrow:"): cents for code, cents in codes.items() if code.startswith("escrow:")
    }
    names = {str(project.pk): project.reference for project in campaign.projects.all()}
    found = {names[pk]: cents for pk, cents in held.items() if cents and pk in names}
    shared = {
        reference: row["citizens_cents"]
        for reference, row in run.result["projects"].items()
        if row["citizens_cents"]
    }
    wrong = sorted(
        f"{reference}: {format_euros(found.get(reference, 0))} ≠ {format_euros(shared.get(reference, 0))}"
        for reference in found.keys() | shared.keys()
        if found.get(reference, 0) != shared.get(reference, 0)
    )
    return Check("ledger", _("The ledger holds exactly what the residents gave"), not wrong, "; ".join(wrong))


def _invariants(campaign: Campaign, *, fresh: bool) -> Check:
    """The ledger's own proof (fifteen invariants); an answer a few minutes old will do on a screen."""
    key = f"abonde:invariants:{campaign.pk}"
    wrong = None if fresh else cache.get(key)
    if wrong is None:
        proof = next((proof for proof in prove(campaign=campaign) if not proof.ok), None)
        wrong = f"{proof.number}. {proof.title}: {'; '.join(proof.wrong[:3])}" if proof is not None else ""
        cache.set(key, wrong, _PROVEN_FOR)
    return Check("invariants", _("The ledger proves its fifteen invariants"), not wrong, wrong)


def refunds_to_order(campaign: Campaign, shares: Shares) -> tuple[int, int]:
    """Return how many payments a publication would refund, and for how many cents."""
    failed = [share.reference for share in shares.refunded]
    count = Payment.objects.filter(
        contribution__campaign=campaign,
        contribution__project__reference__in=failed,
        contribution__state=Contribution.State.COUNTED,
        state=Payment.State.PAID,
    ).count()
    return count, shares.refund_cents


def _refund_cover(run: MatchRun, shares: Shares) -> Check:
    """Money at the provider and at the bank ÷ what must go back. Below 1, refunds cannot all be made."""
    owed = 0
    if not hasattr(run, "publication"):
        owed = shares.refund_cents
    holder = run.campaign.fund.legal_holder
    opened = Refund.objects.filter(
        payment__contribution__campaign__fund__legal_holder=holder, state__in=Refund.OPEN
    )
    owed += sum(opened.values_list("amount_cents", flat=True))
    held = sum(
        balance_of(holder, account)
        for account in (clearing(run.campaign.collection_provider), clearing("offline"), bank())
    )
    label = _("There is enough money to refund everybody")
    if not owed:
        return Check("refund_cover", label, True, _("Nothing to refund."))
    detail = _("%(held)s held for %(owed)s to refund: %(percent)d %%.") % {
        "held": format_euros(held),
        "owed": format_euros(owed),
        "percent": held * 100 // owed,
    }
    return Check("refund_cover", label, held >= owed, detail)


def _outcomes(run: MatchRun, published: MatchRun) -> Check:
    """Refunds were executed and projects told: a correction moves shares, it does not undo an outcome."""
    changed = [
        reference
        for reference, row in run.result["projects"].items()
        if row["funded"] != published.result["projects"].get(reference, {"funded": None})["funded"]
    ]
    changed += sorted(published.result["projects"].keys() - run.result["projects"].keys())
    return Check(
        "outcomes",
        _("The same projects are funded as in the published version"),
        not changed,
        _("A correction cannot undo refunds: %(projects)s.") % {"projects": ", ".join(changed)}
        if changed
        else "",
    )


def _legal_ids(run: MatchRun, shares: Shares) -> Check:
    missing: list[Holder] = beneficiaries_without_id(
        run.campaign, [share.reference for share in shares.funded]
    )
    return Check(
        "legal_ids",
        _("Every holder who receives public money has a SIRET or RNA number"),
        not missing,
        ", ".join(holder.name for holder in missing),
        warns=True,
    )
