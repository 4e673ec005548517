"""The list of projects: filters, order, cards. Two queries of ours, whatever the number of projects."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import blake2s
from typing import Any, NamedTuple

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.db.models.functions import Coalesce
from django.http import HttpRequest, QueryDict
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from wagtail.images import get_image_model

from defis.clock import DatabaseNow
from defis.funding import Funding, funding_of
from defis.models import Campaign, Fund, FundPage, ProjectIndexPage, ProjectPage
from defis.selectors import PUBLIC_STATUSES, PublicState, public_state_case, state_labels, threshold_cents

CARD_IMAGE = "fill-480x270|format-webp"


def plain(text: str) -> str:
    """Lower case without accents: how people search."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


class Line(NamedTuple):
    """What filters and orders need to know of a project, and nothing more."""

    page: int
    project: int
    reference: str
    title: str
    summary: str
    defi_slug: str
    defi_name: str
    commune: str
    epci: str
    holder: str
    closes_at: datetime
    created_at: datetime
    state: str


def lines_of(index: ProjectIndexPage) -> list[Line]:
    """Every public project under an index, in one query."""
    rows = (
        ProjectPage.objects.live()
        .child_of(index)
        .filter(project__status__in=PUBLIC_STATUSES)
        .annotate(
            closes=Coalesce("project__closes_at", "project__campaign__closes_at"),
            state=public_state_case("project__"),
        )
        .values_list(
            "pk",
            "project_id",
            "project__reference",
            "title",
            "project__summary",
            "project__defi__slug",
            "project__defi__name",
            "project__commune__name",
            "project__commune__epci_name",
            "project__holder__name",
            "closes",
            "project__created_at",
            "state",
        )
        .order_by("pk")
    )
    return [Line._make("" if value is None else value for value in row) for row in rows]


@dataclass(frozen=True)
class Choice:
    value: str
    label: str
    selected: bool = False


@dataclass(frozen=True)
class ActiveFilter:
    """A filter in use: what it says, and the address without it."""

    label: str
    without: str


SORTS: dict[str, Callable[[Line], Any]] = {
    "fin": lambda line: (line.state != "open", line.closes_at, line.page),
    "recent": lambda line: (-line.created_at.timestamp(), line.page),
    "nom": lambda line: (plain(line.title), line.page),
}


class ProjectFilters:
    """The GET form of the list, and the lines that answer it.

    The default order is drawn by lot, the same all day for the same visitor, so that no project is
    favoured; the draw travels in `ordre` from page to page, and nothing is stored.
    """

    NAMES = ("q", "defi", "lieu", "etat")

    def __init__(self, index: ProjectIndexPage, request: HttpRequest):
        self.index = index
        self.base_url = index.get_url(request) or ""
        self.values = {name: request.GET.get(name, "").strip()[:100] for name in self.NAMES}
        self.sort = request.GET.get("tri", "")
        if self.sort not in {*SORTS, "seuil"}:
            self.sort = ""
        self.draw = request.GET.get("ordre", "")[:16] or _draw(request)
        self.states = state_labels()

    @cached_property
    def lines(self) -> list[Line]:
        return lines_of(self.index)

    @cached_property
    def rows(self) -> list[Line]:
        """Lines that answer the filters, in order."""
        words = plain(self.values["q"]).split()
        place = self.values["lieu"]
        kept = [
            line
            for line in self.lines
            if (not self.values["defi"] or line.defi_slug == self.values["defi"])
            and (not place or place in {line.commune, line.epci})
            and (not self.values["etat"] or line.state == self.values["etat"])
            and all(word in _searched(line) for word in words)
        ]
        if self.sort == "seuil":
            return self._nearest_first(kept)
        if self.sort:
            return sorted(kept, key=SORTS[self.sort])
        return sorted(kept, key=lambda line: blake2s(f"{self.draw}/{line.reference}".encode()).digest())

    def _nearest_first(self, lines: list[Line]) -> list[Line]:
        """Open projects below their threshold, the nearest first; then the others."""
        pages = {page.pk: page.project for page in pages_of(line.page for line in lines)}
        fundings = funding_of(list(pages.values()))

        def gap(line: Line) -> tuple[bool, float, int]:
            project = pages[line.page]
            target = threshold_cents(project) or project.goal_cents
            share = fundings[project.pk].received_cents / target
            return (line.state != "open" or share >= 1, -share, line.page)

        return sorted(lines, key=gap)

    @cached_property
    def count(self) -> int:
        return len(self.rows)

    @property
    def is_filtered(self) -> bool:
        return any(self.values.values())

    @cached_property
    def defis(self) -> list[Choice]:
        found = {line.defi_slug: line.defi_name for line in self.lines}
        return self._choices("defi", sorted(found.items(), key=lambda item: plain(item[1])))

    @cached_property
    def places(self) -> list[tuple[str, list[Choice]]]:
        """Groups of communes under their EPCI, which can be chosen too."""
        found: dict[str, set[str]] = {}
        for line in self.lines:
            if line.commune:
                found.setdefault(line.epci, set()).add(line.commune)
        groups = []
        for epci, communes in sorted(found.items(), key=lambda item: plain(item[0])):
            whole = [(epci, _("All of %(place)s") % {"place": epci})] if epci else []
            groups.append(
                (
                    epci or _("Other communes"),
                    self._choices("lieu", [*whole, *((c, c) for c in sorted(communes, key=plain))]),
                )
            )
        return groups

    @cached_property
    def state_choices(self) -> list[Choice]:
        present = {line.state for line in self.lines}
        return self._choices("etat", [(code, s.label) for code, s in self.states.items() if code in present])

    @cached_property
    def sort_choices(self) -> list[Choice]:
        labels = [
            ("", _("drawn by lot, another order every day")),
            ("fin", _("ending soon")),
            ("seuil", _("close to the threshold")),
            ("recent", _("newest")),
            ("nom", _("by name")),
        ]
        return [Choice(value, label, value == self.sort) for value, label in labels]

    @cached_property
    def active(self) -> list[ActiveFilter]:
        labels = {
            "q": _("« %(words)s »") % {"words": self.values["q"]},
            "defi": next((c.label for c in self.defis if c.selected), self.values["defi"]),
            "lieu": self.values["lieu"],
            "etat": self.states[self.values["etat"]].label
            if self.values["etat"] in self.states
            else self.values["etat"],
        }
        return [ActiveFilter(labels[n], self._query_without(n)) for n in self.NAMES if self.values[n]]

    def _query_without(self, name: str) -> str:
        query = QueryDict(mutable=True)
        for other, value in self.values.items():
            if value and other != name:
                query[other] = value
        if self.sort:
            query["tri"] = self.sort
        return f"{self.base_url}?{query.urlencode()}" if query else self.base_url

    def _choices(self, name: str, pairs: Iterable[tuple[str, str]]) -> list[Choice]:
        return [Choice(value, label, value == self.values[name]) for value, label in pairs]


def _searched(line: Line) -> str:
    return plain(" ".join([line.title, line.summary, line.commune, line.epci, line.holder, line.defi_name]))


def _draw(request: HttpRequest) -> str:
    """A draw for this visitor and this day, from what the request already says; nothing is kept."""
    seen = f"{request.META.get('REMOTE_ADDR', '')}/{request.META.get('HTTP_USER_AGENT', '')}/{localdate()}"
    return blake2s(seen.encode(), digest_size=3).hexdigest()


# --- Cards ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """A project as a list shows it."""

    page: ProjectPage
    url: str
    state: PublicState
    funding: Funding
    threshold_cents: int | None
    threshold_on_citizens: bool
    days_left: int | None

    @property
    def project(self) -> Any:
        return self.page.project


def pages_of(pks: Iterable[int]) -> QuerySet[ProjectPage]:
    """Pages with the records of their cards, without their texts."""
    return (
        ProjectPage.objects.filter(pk__in=list(pks))
        .select_related("image", "project__campaign", "project__commune", "project__defi", "project__holder")
        .defer("body", "news", "questions", "team")
        .annotate(db_now=DatabaseNow(), state_code=public_state_case("project__"))
    )


def cards(lines: Sequence[Line], base_url: str) -> list[Card]:
    """Cards in the order of the lines: three queries, and those of the rooms that know the money."""
    pages = {page.pk: page for page in pages_of(line.page for line in lines)}
    return cards_of_pages([pages[line.page] for line in lines if line.page in pages], base_url)


def cards_of_pages(pages: Sequence[ProjectPage], base_url: str) -> list[Card]:
    """Cards of pages already loaded by `pages_of`."""
    fundings = funding_of([page.project for page in pages])
    images = [page.image for page in pages if page.image is not None]
    if images:
        renditions = get_image_model().get_rendition_model().objects.filter(filter_spec=CARD_IMAGE)
        prefetch_related_objects(
            images, Prefetch("renditions", queryset=renditions, to_attr="prefetched_renditions")
        )
    labels = state_labels()
    made = []
    for page in pages:
        project = page.project
        made.append(
            Card(
                page=page,
                url=f"{base_url}{page.slug}/",
                state=labels[page.state_code],
                funding=fundings[project.pk],
                threshold_cents=threshold_cents(project),
                threshold_on_citizens=project.campaign.threshold_base == Campaign.ThresholdBase.CITIZENS,
                days_left=max((project.collection_closes_at - page.db_now).days, 0)
                if page.state_code == "open"
                else None,
            )
        )
    return made


def _index_url(locale_id: int, request: HttpRequest) -> str:
    index = ProjectIndexPage.objects.live().filter(locale=locale_id).first()
    return (index.get_url(request) or "") if index else ""


def cards_of_defi(page: Any, request: HttpRequest, limit: int = 12) -> list[Card]:
    """Projects of a challenge in the page's language, drawn by lot for this visitor and this day."""
    found = ProjectPage.objects.live().filter(
        locale=page.locale_id, project__defi=page.defi_id, project__status__in=PUBLIC_STATUSES
    )
    return _drawn(found, page.locale_id, request, limit)


def cards_now(campaign: Campaign, locale_id: int, request: HttpRequest, limit: int = 6) -> list[Card]:
    """Some projects of a campaign for the home page, drawn by lot the same way."""
    found = ProjectPage.objects.live().filter(
        locale=locale_id, project__campaign=campaign, project__status__in=PUBLIC_STATUSES
    )
    return _drawn(found, locale_id, request, limit)


def _drawn(pages: QuerySet[ProjectPage], locale_id: int, request: HttpRequest, limit: int) -> list[Card]:
    draw = _draw(request)
    keys = sorted(
        pages.values_list("pk", "project__reference"),
        key=lambda row: blake2s(f"{draw}/{row[1]}".encode()).digest(),
    )[:limit]
    by_pk = {page.pk: page for page in pages_of(pk for pk, _reference in keys)}
    return cards_of_pages(
        [by_pk[pk] for pk, _reference in keys if pk in by_pk], _index_url(locale_id, request)
    )


def fund_urls(funds: Iterable[Fund], locale_id: int, request: HttpRequest) -> list[tuple[Fund, str]]:
    """Each fund with the address of its page in this language, empty without one."""
    pages = {p.fund_id: p for p in FundPage.objects.live().filter(fund__in=list(funds), locale=locale_id)}
    return [
        (fund, (pages[fund.pk].get_url(request) or "") if fund.pk in pages else "")
        for fund in sorted(funds, key=lambda fund: fund.name)
    ]
