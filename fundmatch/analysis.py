"""The shadow analysis of a run, ready to be drawn: other rules on the same gifts, concentration, influence.

Never paid. A large round is analysed by a worker; the result of a run cannot change and is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.utils.formats import number_format
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from defis.models import Project
from fundmatch.engine.charts import Chart, attack, concentration
from fundmatch.engine.dossier import pseudonym
from fundmatch.engine.shadow import attack_cost, compare
from fundmatch.engine.version import engine_name
from fundmatch.models import MatchRun
from fundmatch.snapshots import donor_id
from participation.contributions.models import Contribution
from theme.components import ChartBar, chart_bars
from theme.money import NO_BREAK_SPACE, format_euros

_KEPT_FOR = 30 * 24 * 3600
#: more contributions than this are not analysed while an editor waits
_IN_THE_REQUEST = 20_000
_ATTACK_CENTS = 1_000
_ATTACKED = 20
_COMPARED = ("result", "quadratic", "pairwise", "proportional")


@dataclass(frozen=True, slots=True)
class RuleColumn:
    """One rule on the same gifts, with its chart."""

    code: str
    label: str
    top: str
    gini: str
    receivers: int
    rank_changes: int
    bars: list[ChartBar]
    rows: list[tuple[str, str]]
    caption: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the analysis page shows; `is_waiting` while the worker computes."""

    is_waiting: bool
    columns: list[RuleColumn]
    #: (project, ratio as shown, look closer)
    ratios: list[tuple[str, str, bool]]
    largest_part: str
    largest_count: int
    #: (project, aid, aid without the largest givers, still funded)
    without_largest: list[tuple[str, str, str, bool]]
    #: (project, aid, lowest, highest when one giver is taken out)
    leave_one_out: list[tuple[str, str, str, str]]
    #: (finding, chart)
    charts: list[tuple[str, Chart]]


def analysis_of(run: MatchRun) -> Analysis:
    """Return the analysis of a run, computed once; asks a worker when the round is large."""
    report = cache.get(_key(run))
    if report is None:
        if (
            Contribution.objects.filter(campaign=run.campaign_id)[: _IN_THE_REQUEST + 1].count()
            > _IN_THE_REQUEST
        ):
            if cache.add(f"{_key(run)}:asked", True, 3600):
                async_task("fundmatch.analysis.prepare", run.pk)
            return Analysis(True, [], [], "", 0, [], [], [])
        report = prepare(run.pk)
    return _shown(run, report)


def prepare(run_pk: int) -> dict[str, Any]:
    """Compute and keep the analysis of a run (the worker's task)."""
    run = MatchRun.objects.get(pk=run_pk)
    value = run.read_input()
    report = compare(value, communes=_communes(run))
    report["target"], report["attack"] = _worst_attack(value, report)
    cache.set(_key(run), report, _KEPT_FOR)
    return report


def _key(run: MatchRun) -> str:
    return f"abonde:analysis:{run.pk}:{run.result_sha256}:{slugify(engine_name())}"


def _communes(run: MatchRun) -> dict[str, str]:
    """Return each giver's declared commune, for the rule that counts communes instead of people."""
    rows = Contribution.objects.filter(
        campaign=run.campaign_id,
        voter__isnull=False,
        person__residency_proofs__result="accepted",
        person__residency_proofs__commune__isnull=False,
    )
    key = bytes(run.donor_key)
    return {
        pseudonym(key, donor_id(voter, None)): insee
        for voter, insee in rows.values_list("voter_id", "person__residency_proofs__commune__insee")
    }


def _shown(run: MatchRun, report: dict[str, Any]) -> Analysis:
    names = dict(Project.objects.filter(campaign=run.campaign_id).values_list("reference", "title"))
    without = report["without_largest"]
    left_out = report["leave_one_out"]
    return Analysis(
        is_waiting=False,
        charts=_charts(report, names),
        columns=[_column(code, column, names) for code, column in report["rules"].items()],
        ratios=[
            (names[ref], "–" if row["ratio"] is None else _number(row["ratio"]), row["look"])
            for ref, row in sorted((report["pairwise_ratio"] or {}).items(), key=lambda item: names[item[0]])
        ],
        largest_part=_percent(without["part_of_gifts"]) if without else "",
        largest_count=len(without["donors"]) if without else 0,
        without_largest=[
            (
                names[ref],
                format_euros(row["match_cents"]),
                format_euros(row["match_without_cents"]),
                row["funded"] == row["funded_without"],
            )
            for ref, row in sorted(
                (without or {"projects": {}})["projects"].items(), key=lambda i: names[i[0]]
            )
        ],
        leave_one_out=[
            (
                names[ref],
                format_euros(row["match_cents"]),
                format_euros(row["low_cents"]),
                format_euros(row["high_cents"]),
            )
            for ref, row in sorted(
                (left_out or {"projects": {}})["projects"].items(), key=lambda i: names[i[0]]
            )
        ],
    )


def _worst_attack(value: dict[str, Any], report: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return the funded project that false ten-euro gifts would pay most, and what they would bring; often none."""
    paid = report["rules"]["result"]["cents"]
    asked = sorted(report["basis"]["funded"], key=lambda project: -paid[project])[:_ATTACKED]
    found = [(project, attack_cost(value, project, _ATTACK_CENTS)) for project in asked]
    found = [item for item in found if item[1][-1]["gain_cents"] > 0]
    return max(found, key=lambda item: item[1][-1]["gain_cents"]) if found else ("", [])


def _charts(report: dict[str, Any], names: dict[str, str]) -> list[tuple[str, Chart]]:
    rules = {code: report["rules"][code]["cents"] for code in _COMPARED if code in report["rules"]}
    title = _("How concentrated the aid is")
    note = _("The lower a curve hangs under the straight line, the more goes to few projects.")
    lorenz = concentration(
        rules,
        key="lorenz",
        title=title,
        description=note,
        labels={code: _rule_label(code) for code in rules},
        projects_label=_("Part of the projects, the smallest first"),
        money_label=_("Part of the aid"),
        series_header=_("Rule"),
        top_header=_("Largest share"),
        half_header=_("What the smaller half receives"),
        percent=_percent,
    )
    charts = [(f"{title}. {note}", lorenz)]
    if report["attack"]:
        title = _("What false identities would call for “%(project)s”") % {"project": names[report["target"]]}
        note = _("Each false identity gives 10 €. On the straight line, the aid equals the cost.")
        cost = attack(
            report["attack"],
            key="attack",
            title=title,
            description=note,
            cost_label=_("Cost of the false gifts"),
            gain_label=_("Aid that they would call"),
            identities_header=_("False identities"),
            money=format_euros,
            axis=lambda cents: number_format(round(cents / 100)),
        )
        charts.append((f"{title}. {note}", cost))
    return charts


def _column(code: str, column: dict[str, Any], names: dict[str, str]) -> RuleColumn:
    cents = sorted(column["cents"].items(), key=lambda item: (-item[1], names[item[0]]))
    top = names.get(column["top_project"] or "", "–")
    label = _rule_label(code)
    return RuleColumn(
        code=code,
        label=label,
        top=f"{top} ({_percent(column['top_share'])})",
        gini=_number(column["gini"]),
        receivers=column["receivers"],
        rank_changes=column["rank_changes"],
        bars=chart_bars(
            [(names[ref], amount, format_euros(amount)) for ref, amount in cents], kind="foundation"
        ),
        rows=[(names[ref], format_euros(amount)) for ref, amount in cents],
        caption=_("%(rule)s: %(top)s receives most, %(share)s.")
        % {"rule": label, "top": top, "share": _percent(column["top_share"])},
    )


def _rule_label(code: str) -> str:
    return {
        "result": _("This campaign's rules"),
        "linear": _("In proportion, 1 for 1"),
        "quadratic": _("Quadratic"),
        "quadratic-square": _("Quadratic, square of the sum"),
        "pairwise": _("Quadratic, limited by pair of people"),
        "proportional": _("In proportion to the amounts"),
        "per-donor": _("One person, one voice"),
        "cluster-communes": _("Communes instead of people"),
        "cluster-projects": _("Groups of givers instead of people"),
    }.get(code, code)


def _percent(part: float) -> str:
    return f"{number_format(round(part * 100, 1), decimal_pos=1)}{NO_BREAK_SPACE}%"


def _number(value: float) -> str:
    return number_format(round(value, 2), decimal_pos=2)
