"""The facts of a calculation as sentences that an editor can read aloud, in the active language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fundmatch.engine.explain import explain
from fundmatch.models import MatchRun, Override
from theme.money import NO_BREAK_SPACE, format_euros


def facts_of(run: MatchRun) -> dict[str, list[dict[str, Any]]]:
    """Return the facts of each project of a run, as JSON, by reference."""
    facts = explain(run.parameters, run.result)
    return {reference: [fact.to_json() for fact in mine] for reference, mine in facts.items()}


def sentences(
    facts: Iterable[Mapping[str, Any]], pot_names: Mapping[str, str], corrections: Iterable[Override] = ()
) -> list[str]:
    """Return what to say about one project: its facts, then each human correction with its reason."""
    said = [_sentence(fact, pot_names.get(fact["pot"] or "", fact["pot"] or "")) for fact in facts]
    said += [
        _("Correction: %(pot)s pays %(amount)s instead. Reason: %(reason)s")
        % {
            "pot": pot_names.get(override.pot.slug, override.pot.name),
            "amount": format_euros(override.amount_cents),
            "reason": override.reason,
        }
        for override in corrections
    ]
    return said


def _sentence(fact: Mapping[str, Any], pot: str) -> str:
    numbers = fact["numbers"]
    said = {
        key: format_euros(value)
        for key, value in numbers.items()
        if key.endswith("cents") and value is not None
    }
    said["pot"] = pot
    if "per_ten_thousand" in numbers:
        said["percent"] = _percent(numbers["per_ten_thousand"])
    code = fact["code"]
    if code == "received":
        return ngettext(
            "%(donors)d resident gave %(cents)s.", "%(donors)d residents gave %(cents)s.", numbers["donors"]
        ) % (said | {"donors": numbers["donors"]})
    if code == "too_few_donors":
        return _("The aid “%(pot)s” starts at %(min_donors)d people. There were %(donors)d.") % (
            said | {"min_donors": numbers["min_donors"], "donors": numbers["donors"]}
        )
    return _patterns()[code] % said


def _patterns() -> dict[str, str]:
    return {
        "not_funded": _("The project reached %(base_cents)s. The threshold was %(needed_cents)s."),
        "refunded": _("Everybody is refunded in full: %(cents)s."),
        "no_donor": _("Nobody gave. The aid “%(pot)s” pays nothing."),
        "one_donor": _("Only one person gave. The aid “%(pot)s” starts when several people give."),
        "calls": _("These contributions call %(cents)s from “%(pot)s”."),
        "cap_applies": _("The cap of %(cap_cents)s per project applies."),
        "all_at_cap": _("Every project of “%(pot)s” is at the cap of %(cap_cents)s."),
        "shared": _(
            "All the projects together call more than the %(budget_cents)s of “%(pot)s”. "
            "Each receives %(percent)s of what it calls."
        ),
        "spread": _("“%(pot)s” shares all its money. Each project receives %(percent)s of what it calls."),
        "first_come": _(
            "“%(pot)s” serves the first contributions first, until its %(budget_cents)s are spent."
        ),
        "pot_empty": _("The %(budget_cents)s of “%(pot)s” were spent before."),
        "pays": _("“%(pot)s” pays %(cents)s."),
        "total": _("In total, the project receives %(cents)s."),
        "goal_reached": _("The goal of %(goal_cents)s is reached."),
    }


def _percent(per_ten_thousand: int) -> str:
    whole = per_ten_thousand % 100 == 0
    shown = number_format(per_ten_thousand / 100, decimal_pos=0 if whole else 2)
    return f"{shown}{NO_BREAK_SPACE}%"
