"""Menu, footer and language links of a page: three queries every few seconds, none in between."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import F, Q
from django.http import HttpRequest
from django.urls import translate_url
from django.utils.translation import get_language, get_language_info, gettext, override
from wagtail.models import Page, Site

from theme.components import Link
from theme.memory import remembered


@dataclass(frozen=True)
class LanguageLink:
    """A language in its own words; `url` is empty when the page does not exist in it."""

    code: str
    name: str
    url: str
    current: bool
    missing: str = ""


@dataclass(frozen=True)
class Navigation:
    home_url: str = "/"
    menu: list[Link] = field(default_factory=list)
    # Links of the footer by role (accessibility, legal, privacy, contact, how).
    footer: dict[str, Link] = field(default_factory=dict)
    languages: list[LanguageLink] = field(default_factory=list)


def home_page(request: HttpRequest) -> Page | None:
    """The site's home page in the active language, else in its first one."""
    site = Site.find_for_request(request)
    if site is None:
        return None
    if get_language() == settings.LANGUAGE_CODE:
        return site.root_page
    translated = Page.objects.live().filter(
        translation_key=site.root_page.translation_key, locale__language_code=get_language()
    )
    return translated.first() or site.root_page


class _Entry(NamedTuple):
    """A page that the menu or the footer leads to."""

    title: str
    url: str
    path: str
    role: str
    in_menu: bool


def navigation(request: HttpRequest | None, page: Page | None = None) -> Navigation:
    """What the header and the footer of this page lead to."""
    site = Site.find_for_request(request) if request is not None else None
    if request is None or site is None:
        return Navigation()
    home_url, entries = remembered(("entries", site.pk, get_language()), lambda: _entries(request))
    menu: list[Link] = []
    footer: dict[str, Link] = {}
    for entry in entries:
        link = Link(entry.title, entry.url, current=_is_within(page, entry.path))
        if entry.role:
            footer.setdefault(entry.role, link)
        if entry.in_menu:
            menu.append(link)
    return Navigation(home_url, menu, footer, _languages(request, page))


def _entries(request: HttpRequest) -> tuple[str, list[_Entry]]:
    """Address of the home page, and every page of the menu and the footer, in the tree's order."""
    home = home_page(request)
    if home is None:
        return "/", []
    found = (
        Page.objects.live()
        .descendant_of(home)
        .filter(
            Q(show_in_menus=True, depth=home.depth + 1)
            | Q(abonde_theme_plainpage__role__gt="")
            | Q(abonde_theme_accessibilitypage__isnull=False)
        )
        .annotate(
            role=F("abonde_theme_plainpage__role"), is_accessibility=F("abonde_theme_accessibilitypage")
        )
        .order_by("path")
    )
    return home.get_url(request) or "/", [
        _Entry(
            item.title,
            item.get_url(request) or "",
            item.path,
            "accessibility" if item.is_accessibility else item.role or "",
            item.show_in_menus and item.depth == home.depth + 1,
        )
        for item in found
    ]


def _is_within(page: Page | None, path: str) -> bool:
    return page is not None and getattr(page, "path", "").startswith(path)


def _languages(request: HttpRequest, page: Any) -> list[LanguageLink]:
    if len(settings.LANGUAGES) < 2:
        return []
    addresses = (
        _page_addresses(request, page) if isinstance(page, Page) and page.pk else _view_addresses(request)
    )
    links = []
    for code, _name in settings.LANGUAGES:
        url = addresses.get(code, "")
        with override(code):
            missing = "" if url else gettext("This page does not exist in English.")
        links.append(
            LanguageLink(code, get_language_info(code)["name_local"], url, code == get_language(), missing)
        )
    return links


def _page_addresses(request: HttpRequest, page: Page) -> dict[str, str]:
    site = Site.find_for_request(request)
    key = ("addresses", site and site.pk, page.translation_key)
    return remembered(key, lambda: _translations(request, page))


def _translations(request: HttpRequest, page: Page) -> dict[str, str]:
    translations = page.get_translations(inclusive=True).live().select_related("locale")
    return {item.locale.language_code: item.get_url(request) or "" for item in translations}


def _view_addresses(request: HttpRequest) -> dict[str, str]:
    if getattr(request, "resolver_match", None) is None:
        return {}
    return {code: translate_url(request.get_full_path(), code) for code, _name in settings.LANGUAGES}
