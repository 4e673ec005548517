"""Data of the components whose template needs more than a few words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from django.utils.translation import gettext as _

from theme.money import format_euros, percent


@dataclass(frozen=True)
class Link:
    """An entry of the header, the footer or a list. `method="post"` makes it a button in a form."""

    label: str
    url: str
    method: str = "get"
    current: bool = False


@dataclass(frozen=True)
class CallToAction:
    """The one thing to do next: at most one primary button per page, and the sentence under it.

    `kind`: primary, secondary, link, or none (only the sentence is shown).
    """

    code: str
    line: str
    label: str = ""
    url: str = ""
    kind: str = "primary"
    notice: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a summary list. `change_label` completes « Change » for those who hear the link alone."""

    label: str
    value: str
    change_url: str = ""
    change_label: str = ""


@dataclass(frozen=True)
class Step:
    """A line of an ordered list of steps; `state`: done, current or todo."""

    label: str
    state: str = "todo"
    note: str = ""


class MatchLike(Protocol):
    """Complementary money already decided, by one source."""

    @property
    def kind(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def cents(self) -> int: ...


@dataclass(frozen=True)
class Source:
    """MatchLike as plain data. `kind`: citizens, company, authority, foundation."""

    kind: str
    label: str
    cents: int


@dataclass(frozen=True)
class BarPart:
    """One piece of the bar; `x` and `width` are percentages of the bar's length, as SVG wants them."""

    kind: str
    label: str
    cents: int
    x: str
    width: str


@dataclass(frozen=True)
class FundingBar:
    """Geometry and sentences of a project's bar. Solid: money there is. Hatched: an estimate."""

    parts: list[BarPart]
    estimate: list[BarPart]
    threshold_x: str | None
    goal_x: str | None
    received_cents: int
    goal_cents: int
    percent: int
    threshold_cents: int | None
    aid_low_cents: int | None
    aid_high_cents: int | None
    threshold_sentence: str
    rows: list[Source] = field(default_factory=list)

    @property
    def alternative(self) -> str:
        """What the drawing says, for those who do not see it."""
        said = _("%(received)s received out of %(goal)s, %(percent)s%%.") % {
            "received": format_euros(self.received_cents),
            "goal": format_euros(self.goal_cents),
            "percent": self.percent,
        }
        return f"{said} {self.threshold_sentence}".strip()

    @property
    def has_estimate(self) -> bool:
        return bool(self.aid_high_cents)

    @property
    def aid_is_exact(self) -> bool:
        return self.aid_low_cents == self.aid_high_cents


# The order in which sources are always drawn and told.
SOURCE_ORDER = ("citizens", "company", "authority", "foundation")


def funding_bar(
    *,
    goal_cents: int,
    citizens_cents: int,
    matches: Iterable[MatchLike] = (),
    aid_low_cents: int | None = None,
    aid_high_cents: int | None = None,
    threshold_cents: int | None = None,
    threshold_on_citizens: bool = False,
) -> FundingBar:
    """Where each piece of a project's bar starts and ends. Amounts in cents.

    `matches` are decided money (after publication); `aid_*` the estimate before it, drawn hatched outside
    the solid bar and never added to it. `threshold_on_citizens`: only residents' money counts for it.
    """
    decided = sorted(
        (m for m in matches if m.cents > 0),
        key=lambda m: SOURCE_ORDER.index(m.kind) if m.kind in SOURCE_ORDER else len(SOURCE_ORDER),
    )
    rows = [Source("citizens", _("Residents"), citizens_cents)]
    rows += [Source(m.kind, str(m.label), m.cents) for m in decided]
    received = sum(row.cents for row in rows)
    low, high = aid_low_cents or 0, aid_high_cents or 0
    scale = max(goal_cents, received + high, threshold_cents or 0, 1)

    parts, cursor = [], 0
    for row in rows:
        if row.cents:
            parts.append(
                BarPart(row.kind, row.label, row.cents, _share(cursor, scale), _share(row.cents, scale))
            )
            cursor += row.cents
    estimate = []
    if low:
        estimate.append(BarPart("aid", _("Estimated aid"), low, _share(cursor, scale), _share(low, scale)))
    if high > low:
        start = cursor + low
        estimate.append(
            BarPart(
                "aid-high", _("Estimated aid"), high - low, _share(start, scale), _share(high - low, scale)
            )
        )

    counted = citizens_cents if threshold_on_citizens else received
    reach_low, reach_high = (counted, counted) if threshold_on_citizens else (counted + low, counted + high)
    return FundingBar(
        parts=parts,
        estimate=estimate,
        threshold_x=_share(threshold_cents, scale) if threshold_cents else None,
        goal_x=_share(goal_cents, scale) if scale > goal_cents else None,
        received_cents=received,
        goal_cents=goal_cents,
        percent=percent(received, goal_cents),
        threshold_cents=threshold_cents,
        aid_low_cents=aid_low_cents,
        aid_high_cents=aid_high_cents,
        threshold_sentence=_threshold_sentence(threshold_cents, counted, reach_low, reach_high),
        rows=rows,
    )


def _share(cents: int, scale: int) -> str:
    return f"{cents * 10_000 // scale / 100:.2f}%"


def _threshold_sentence(threshold: int | None, counted: int, low: int, high: int) -> str:
    if not threshold:
        return ""
    amount = format_euros(threshold)
    if counted >= threshold:
        return _("The threshold of %(amount)s is reached.") % {"amount": amount}
    if low >= threshold:
        return _("With the aid estimated today, the threshold of %(amount)s is reached.") % {"amount": amount}
    if high > counted:
        most = format_euros(threshold - low)
        if high >= threshold:
            return _(
                "With the aid estimated today, at most %(most)s are missing"
                " to reach the threshold of %(amount)s."
            ) % {
                "most": most,
                "amount": amount,
            }
        if low == high:
            return _(
                "With the aid estimated today, %(most)s are missing to reach the threshold of %(amount)s."
            ) % {
                "most": most,
                "amount": amount,
            }
        return _(
            "With the aid estimated today, between %(least)s and %(most)s are missing"
            " to reach the threshold of %(amount)s."
        ) % {"least": format_euros(threshold - high), "most": most, "amount": amount}
    return _("%(missing)s are missing to reach the threshold of %(amount)s.") % {
        "missing": format_euros(threshold - counted),
        "amount": amount,
    }


@dataclass(frozen=True)
class ChartBar:
    """A horizontal bar of a chart, drawn on the server; `width` is a percentage of the drawing."""

    label: str
    value: str
    width: str
    kind: str = "citizens"


def chart_bars(values: Sequence[tuple[str, int, str]], kind: str = "citizens") -> list[ChartBar]:
    """Bars of (label, number, number as shown), on a scale that starts at zero."""
    greatest = max((number for _label, number, _shown in values), default=0) or 1
    return [
        ChartBar(label, shown, f"{number * 10_000 // greatest / 100:.2f}%", kind)
        for label, number, shown in values
    ]
