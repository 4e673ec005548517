"""Charts as SVG text: shares by rule, concentration, the gain of one more gift, the cost of an attack.

Attributes only, no style and no script, so a page under a strict content security policy can hold them;
colours come from `currentColor` and from the classes `fm-chart…` that a stylesheet may set. Series are told
apart by hatching and by words, never by colour alone. Each chart is an image with a title and a description,
and carries its own figures as a table: what the picture says must be readable without it.

Words and number formats are the caller's (the site speaks French and German): `money` writes an amount of
cents, `axis` a whole amount without its unit, `percent` a ratio; the defaults are English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from .explain import euros
from .shadow.measures import lorenz

WIDTH = 360  # of the drawing: a phone's, so that words stay readable there
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 40
_BAR, _GAP = 10, 3
_TICKS = 4
_LONGEST = 56  # letters on a line

Money = Callable[[int], str]
Number = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Chart:
    """The picture and its figures. `headers` are (label, is a number); the first cell of a row names it."""

    svg: str
    headers: list[tuple[str, bool]]
    rows: list[list[str]]


def shares_by_rule(
    cents: Mapping[str, Mapping[str, int]],
    *,
    key: str,
    title: str,
    description: str,
    rule_labels: Mapping[str, str] | None = None,
    project_labels: Mapping[str, str] | None = None,
    project_header: str = "Project",
    limit: int = 10,
    money: Money = euros,
) -> Chart:
    """Grouped horizontal bars: for the projects that the first rule pays most, what each rule would pay.

    `cents` is rule → project → cents. The table has every project, the picture the first `limit`.
    """
    rules = list(cents)
    names, projects = project_labels or {}, _largest_first(cents)
    labels = [(rule_labels or {}).get(rule, rule) for rule in rules]
    most = max((cents[rule].get(p, 0) for rule in rules for p in projects[:limit]), default=0) or 1
    room = WIDTH - _LEFT - _RIGHT - 60
    parts, y = [_legend(labels)], 16 + 16 * len(rules)
    for project in projects[:limit]:
        parts.append(_text(0, y + 10, _short(names.get(project, project)), "fm-chart__name"))
        y += 16
        for number, rule in enumerate(rules):
            amount = cents[rule].get(project, 0)
            width = round(room * amount / most, 1)
            parts.append(_bar(_LEFT, y, width, number))
            parts.append(_text(_LEFT + width + 4, y + _BAR - 1, money(amount), "fm-chart__value"))
            y += _BAR + _GAP
        y += 8
    rows = [[names.get(p, p), *(money(cents[rule].get(p, 0)) for rule in rules)] for p in projects]
    headers = [(project_header, False), *((label, True) for label in labels)]
    return Chart(_svg(key, title, description, y, parts, hatches=len(rules)), headers, rows)


def concentration(
    cents: Mapping[str, Mapping[str, int]],
    *,
    key: str,
    title: str,
    description: str,
    labels: Mapping[str, str] | None = None,
    projects_label: str = "Part of the projects, the smallest first",
    money_label: str = "Part of the money",
    series_header: str = "Rule",
    top_header: str = "Largest share",
    half_header: str = "What the smaller half receives",
    percent: Number = lambda ratio: f"{ratio:.0%}",
) -> Chart:
    """Lorenz curves: the straight line is the same for all; the lower a curve hangs, the more goes to few."""
    height = WIDTH - _LEFT - _RIGHT
    names = [(labels or {}).get(one, one) for one in cents]
    top = _TOP + 16 * len(names)
    frame = _Frame(0, 1, 0, 1, top, height)
    parts = [_legend(names, lines=True), *frame.axes(percent, percent, projects_label, money_label)]
    parts.append(frame.line([(0, 0), (1, 1)], "fm-chart__even", dashes="2 4"))
    rows = []
    for number, (name, amounts) in enumerate(zip(names, cents.values(), strict=True)):
        curve = lorenz(amounts.values())
        parts.append(
            frame.line(curve, f"fm-chart__series fm-chart__series--{number}", dashes=_DASHES[number % 6])
        )
        total = sum(amounts.values()) or 1
        half = sum(sorted(amounts.values())[: len(amounts) // 2])
        rows.append([name, percent(max(amounts.values(), default=0) / total), percent(half / total)])
    headers = [(series_header, False), (top_header, True), (half_header, True)]
    return Chart(_svg(key, title, description, frame.bottom, parts), headers, rows)


def gain_curve(
    points: Sequence[Mapping[str, int]],
    *,
    key: str,
    title: str,
    description: str,
    gift_label: str = "Gift",
    gain_label: str = "Aid that it calls",
    others_label: str = "Other projects lose",
    money: Money = euros,
    axis: Number = lambda cents: f"{cents / 100:,.0f}",
) -> Chart:
    """What one more gift calls, by its amount. `points` come from `shadow.gain_curve`."""
    return _curve(
        [(row["gift_cents"], row["gain_cents"]) for row in points],
        [[money(row["gift_cents"]), money(row["gain_cents"]), money(-row["others_cents"])] for row in points],
        headers=[(gift_label, False), (gain_label, True), (others_label, True)],
        key=key,
        title=title,
        description=description,
        axis=axis,
    )


def attack(
    points: Sequence[Mapping[str, Any]],
    *,
    key: str,
    title: str,
    description: str,
    cost_label: str = "Cost of the false gifts",
    gain_label: str = "Aid that they would call",
    identities_header: str = "False identities",
    money: Money = euros,
    axis: Number = lambda cents: f"{cents / 100:,.0f}",
) -> Chart:
    """What false identities would call, against what they cost; on the straight line both are equal.

    `points` come from `shadow.attack_cost`.
    """
    return _curve(
        [(row["cost_cents"], row["gain_cents"]) for row in points],
        [[str(row["identities"]), money(row["cost_cents"]), money(row["gain_cents"])] for row in points],
        headers=[(identities_header, False), (cost_label, True), (gain_label, True)],
        axis_labels=(cost_label, gain_label),
        diagonal=True,
        key=key,
        title=title,
        description=description,
        axis=axis,
    )


def _curve(
    points: Sequence[tuple[int, int]],
    rows: list[list[str]],
    *,
    headers: list[tuple[str, bool]],
    key: str,
    title: str,
    description: str,
    axis: Number,
    axis_labels: tuple[str, str] | None = None,
    diagonal: bool = False,
) -> Chart:
    widest = _nice(max((x for x, _ in points), default=0))
    highest = _nice(max((y for _, y in points), default=0))
    frame = _Frame(0, widest, 0, highest, _TOP, 220)
    x_label, y_label = axis_labels or (headers[0][0], headers[1][0])
    parts = frame.axes(axis, axis, f"{x_label} (€)", f"{y_label} (€)")
    if diagonal:
        end = min(widest, highest)
        parts.append(frame.line([(0, 0), (end, end)], "fm-chart__even", dashes="2 4"))
    parts.append(frame.line([(0, 0), *points], "fm-chart__series fm-chart__series--0"))
    parts.extend(frame.dot(x, y) for x, y in points)
    return Chart(_svg(key, title, description, frame.bottom, parts), headers, rows)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The plane of a curve: from values to places in the drawing."""

    x_from: float
    x_to: float
    y_from: float
    y_to: float
    top: float
    height: float

    @property
    def bottom(self) -> float:
        return self.top + self.height + _BOTTOM

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x_from) / ((self.x_to - self.x_from) or 1)
        up = (y - self.y_from) / ((self.y_to - self.y_from) or 1)
        return (
            round(_LEFT + across * (WIDTH - _LEFT - _RIGHT), 1),
            round(self.top + 16 + (1 - up) * (self.height - 16), 1),
        )

    def axes(self, x_text: Number, y_text: Number, x_label: str, y_label: str) -> list[str]:
        floor = self.at(self.x_from, self.y_from)[1]
        parts = [_text(0, self.top + 4, y_label, "fm-chart__axis")]
        for tick in range(_TICKS + 1):
            value = self.y_from + (self.y_to - self.y_from) * tick / _TICKS
            y = self.at(0, value)[1]
            parts.append(_line(_LEFT, y, WIDTH - _RIGHT, y, "fm-chart__grid"))
            parts.append(_text(_LEFT - 4, y + 4, y_text(value), "fm-chart__tick", anchor="end"))
            across = self.x_from + (self.x_to - self.x_from) * tick / _TICKS
            x = self.at(across, 0)[0]
            anchor = "end" if tick == _TICKS else "middle"
            parts.append(_text(x, floor + 14, x_text(across), "fm-chart__tick", anchor=anchor))
        parts.append(_text(WIDTH - _RIGHT, floor + 30, x_label, "fm-chart__axis", anchor="end"))
        return parts

    def line(self, points: Sequence[tuple[float, float]], kind: str, dashes: str = "") -> str:
        places = " ".join(f"{x},{y}" for x, y in (self.at(*point) for point in points))
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        return (
            f'<polyline class="{kind}" points="{places}" fill="none" stroke="currentColor" '
            f'stroke-width="2"{dashed}/>'
        )

    def dot(self, x: float, y: float) -> str:
        across, down = self.at(x, y)
        return f'<circle class="fm-chart__dot" cx="{across}" cy="{down}" r="3" fill="currentColor"/>'


_DASHES = ("", "8 3", "3 3", "10 3 2 3", "1 3", "6 2 1 2 1 2")


def _largest_first(cents: Mapping[str, Mapping[str, int]]) -> list[str]:
    first = next(iter(cents.values()), {})
    everybody = sorted({project for amounts in cents.values() for project in amounts})
    return sorted(everybody, key=lambda project: -first.get(project, 0))


def _nice(value: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten, at least one euro."""
    step = 100.0
    while True:
        for factor in (1, 2, 2.5, 5):
            if step * factor >= value:
                return step * factor
        step *= 10


def _legend(labels: Sequence[str], *, lines: bool = False) -> str:
    found = []
    for number, label in enumerate(labels):
        y = 4 + 16 * number
        if lines:
            dashes = f' stroke-dasharray="{_DASHES[number % 6]}"' if _DASHES[number % 6] else ""
            found.append(
                f'<line class="fm-chart__series fm-chart__series--{number}" x1="0" y1="{y + 5}" x2="28" '
                f'y2="{y + 5}" stroke="currentColor" stroke-width="2"{dashes}/>'
            )
        else:
            found.append(_bar(0, y, 28, number))
        found.append(_text(34, y + 9, _short(label), "fm-chart__legend"))
    return "".join(found)


def _bar(x: float, y: float, width: float, number: int) -> str:
    fill = "currentColor" if number == 0 else f"url(#%KEY%-hatch-{number})"
    return (
        f'<rect class="fm-chart__bar fm-chart__bar--{number}" x="{x}" y="{y}" width="{width}" '
        f'height="{_BAR}" fill="{fill}" stroke="currentColor"/>'
    )


def _hatch(number: int) -> str:
    """A pattern of its own for each series: the direction turns, the lines get closer."""
    size, angle = max(3, 8 - number), (45 + 60 * (number - 1)) % 180
    return (
        f'<pattern id="%KEY%-hatch-{number}" width="{size}" height="{size}" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate({angle})"><line x1="0" y1="0" x2="0" y2="{size}" stroke="currentColor" '
        f'stroke-width="2"/></pattern>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return (
        f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" '
        f'stroke="currentColor" stroke-opacity="0.25"/>'
    )


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{round(x, 1)}" y="{round(y, 1)}" font-size="11" fill="currentColor" '
        f'text-anchor="{anchor}">{_clean(words)}</text>'
    )


def _clean(words: str) -> str:
    """Text that XML can hold; `%KEY%` is ours."""
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return escape(printable.replace("%KEY%", ""))


def _short(words: str) -> str:
    """A name on one line of the picture; the table has it whole."""
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def _svg(
    key: str, title: str, description: str, height: float, parts: Sequence[str], hatches: int = 0
) -> str:
    """`key` makes the ids unique in the page: letters, digits and hyphens."""
    if not key.replace("-", "").isalnum() or not key.isascii():
        raise ValueError("the key of a chart is made of letters, digits and hyphens")
    patterns = "".join(_hatch(number) for number in range(1, hatches))
    body = "".join([f"<defs>{patterns}</defs>" if patterns else "", *parts]).replace("%KEY%", key)
    labelled = quoteattr(f"{key}-title {key}-desc")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fm-chart" role="img" aria-labelledby={labelled} '
        f'width="100%" viewBox="0 0 {WIDTH} {round(height)}" focusable="false">'
        f'<title id="{key}-title">{_clean(title)}</title><desc id="{key}-desc">{_clean(description)}</desc>'
        f"{body}</svg>"
    )
