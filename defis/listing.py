"""The list of projects: filters, order, cards. One query of ours, whatever the number of projects."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import blake2s
from typing import Any, NamedTuple

from django.core.files.storage import default_storage
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.http import HttpRequest, QueryDict
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from wagtail.images import get_image_model
from wagtail.images.models import SourceImageIOError

from defis.clock import DatabaseNow
from defis.funding import Funding, funding_of
from defis.models import Campaign, Fund, FundPage, Project, ProjectIndexPage, ProjectPage
from defis.selectors import PUBLIC_STATUSES, PublicState, public_state_case, state_labels

CARD_IMAGE = "fill-480x270|format-webp"


def plain(text: str) -> str:
    """Lower case without accents: how people search."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


class Line(NamedTuple):
    """All that a list shows of a project, filters and orders included: one row of one query."""

    page: int
    slug: str
    title: str
    image: int | None
    thumbnail: dict[str, Any] | None
    project: int
    reference: str
    campaign: int
    status: str
    goal_cents: int
    summary: str
    created_at: datetime
    defi_slug: str
    defi_name: str
    commune: str
    epci: str
    holder: str
    threshold_numerator: int | None
    threshold_denominator: int
    threshold_base: str
    closes_at: datetime
    now: datetime
    state: str

    def record(self) -> Project:
        """The project as the rooms of the money need it: identity, campaign, status and goal."""
        return Project(
            pk=self.project,
            reference=self.reference,
            campaign_id=self.campaign,
            status=self.status,
            goal_cents=self.goal_cents,
        )

    @property
    def threshold_cents(self) -> int | None:
        """What the project must reach (cents, rounded up)."""
        if self.threshold_numerator is None:
            return None
        return -(-self.goal_cents * self.threshold_numerator // self.threshold_denominator)


_COLUMNS = (
    "pk",
    "slug",
    "title",
    "image",
    "thumbnail",
    "project",
    "project__reference",
    "project__campaign",
    "project__status",
    "project__goal_cents",
    "project__summary",
    "project__created_at",
    "project__defi__slug",
    "project__defi__name",
    "project__commune__name",
    "project__commune__epci_name",
    "project__holder__name",
    "project__campaign__threshold_numerator",
    "project__campaign__threshold_denominator",
    "project__campaign__threshold_base",
    "closes",
    "now",
    "state",
)
_WORDS = {"project__commune__name", "project__commune__epci_name"}


def lines_of(pages: QuerySet[ProjectPage]) -> list[Line]:
    """Every public project of these pages, in one query."""
    renditions = (
        get_image_model()
        .get_rendition_model()
        .objects.filter(image_id=OuterRef("image"), filter_spec=CARD_IMAGE)
    )
    drawn = JSONObject(file="file", width="width", height="height", key="focal_point_key")
    rows = (
        pages.filter(live=True, project__status__in=PUBLIC_STATUSES)
        .annotate(
            thumbnail=Subquery(renditions.order_by("-pk").values_list(drawn)[:1]),
            closes=Coalesce("project__closes_at", "project__campaign__closes_at"),
            now=DatabaseNow(),
            state=public_state_case("project__"),
        )
        .order_by("pk")
        .values_list(*_COLUMNS)
    )
    return [
        Line._make(
            "" if value is None and name in _WORDS else value
            for name, value in zip(_COLUMNS, row, strict=True)
        )
        for row in rows
    ]


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
        self.base_url = index.address(request)
        self.values = {name: request.GET.get(name, "").strip()[:100] for name in self.NAMES}
        self.sort = request.GET.get("tri", "")
        if self.sort not in {*SORTS, "seuil"}:
            self.sort = ""
        self.draw = request.GET.get("ordre", "")[:16] or _draw(request)
        self.states = state_labels()

    @cached_property
    def lines(self) -> list[Line]:
        return lines_of(ProjectPage.objects.child_of(self.index))

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
        return sorted(kept, key=lambda line: _lot(self.draw, line))

    def _nearest_first(self, lines: list[Line]) -> list[Line]:
        """Open projects below their threshold, the nearest first; then the others."""
        fundings = funding_of([line.record() for line in lines])

        def gap(line: Line) -> tuple[bool, float, int]:
            share = fundings[line.project].received_cents / (line.threshold_cents or line.goal_cents)
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
            ("", _("drawn by lot")),
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
class Thumbnail:
    """A picture at the size of a card."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class Card:
    """A project as a list shows it."""

    line: Line
    url: str
    state: PublicState
    funding: Funding
    thumbnail: Thumbnail | None
    threshold_on_citizens: bool
    days_left: int | None


def cards(lines: Sequence[Line], base_url: str) -> list[Card]:
    """Cards of lines, in their order; asks only the rooms that know the money."""
    fundings = funding_of([line.record() for line in lines])
    labels = state_labels()
    return [
        Card(
            line=line,
            url=f"{base_url}{line.slug}/",
            state=labels[line.state],
            funding=fundings[line.project],
            thumbnail=_thumbnail(line),
            threshold_on_citizens=line.threshold_base == Campaign.ThresholdBase.CITIZENS,
            days_left=max((line.closes_at - line.now).days, 0) if line.state == "open" else None,
        )
        for line in lines
    ]


def _thumbnail(line: Line) -> Thumbnail | None:
    """The picture as the query found it; drawn now if nobody ever looked at this card."""
    if line.image is None:
        return None
    if line.thumbnail is not None:
        return Thumbnail(
            default_storage.url(line.thumbnail["file"]), line.thumbnail["width"], line.thumbnail["height"]
        )
    image = get_image_model().objects.filter(pk=line.image).first()
    try:
        rendition = image.get_rendition(CARD_IMAGE) if image is not None else None
    except SourceImageIOError:
        return None
    return Thumbnail(rendition.url, rendition.width, rendition.height) if rendition is not None else None


def _index_url(locale_id: int, request: HttpRequest) -> str:
    index = ProjectIndexPage.objects.live().filter(locale=locale_id).first()
    return (index.get_url(request) or "") if index else ""


def cards_of_defi(page: Any, request: HttpRequest, limit: int = 12) -> list[Card]:
    """Projects of a challenge in the page's language, drawn by lot for this visitor and this day."""
    found = ProjectPage.objects.filter(locale=page.locale_id, project__defi=page.defi_id)
    return _drawn(found, page.locale_id, request, limit)


def cards_now(campaign: Campaign, locale_id: int, request: HttpRequest, limit: int = 6) -> list[Card]:
    """Some projects of a campaign for the home page, drawn by lot the same way."""
    found = ProjectPage.objects.filter(locale=locale_id, project__campaign=campaign)
    return _drawn(found, locale_id, request, limit)


def _drawn(pages: QuerySet[ProjectPage], locale_id: int, request: HttpRequest, limit: int) -> list[Card]:
    draw = _draw(request)
    lines = sorted(lines_of(pages), key=lambda line: _lot(draw, line))[:limit]
    return cards(lines, _index_url(locale_id, request))


def _lot(draw: str, line: Line) -> bytes:
    """Place of a project in a draw."""
    return blake2s(f"{draw}/{line.reference}".encode()).digest()


def fund_urls(funds: Iterable[Fund], locale_id: int, request: HttpRequest) -> list[tuple[Fund, str]]:
    """Each fund with the address of its page in this language, empty without one."""
    pages = {p.fund_id: p for p in FundPage.objects.live().filter(fund__in=list(funds), locale=locale_id)}
    return [
        (fund, (pages[fund.pk].get_url(request) or "") if fund.pk in pages else "")
        for fund in sorted(funds, key=lambda fund: fund.name)
    ]
