"""Menu, footer and language links of a page: three queries at most, whatever the size of the site."""

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.http import HttpRequest
from django.urls import translate_url
from django.utils.translation import get_language, get_language_info, gettext, override
from wagtail.models import Page, Site

from theme.components import Link


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


def navigation(request: HttpRequest | None, page: Page | None = None) -> Navigation:
    """What the header and the footer of this page lead to."""
    home = home_page(request) if request is not None else None
    if request is None or home is None:
        return Navigation()
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
    menu: list[Link] = []
    footer: dict[str, Link] = {}
    for item in found:
        role = "accessibility" if item.is_accessibility else item.role or ""
        link = Link(item.title, item.get_url(request), current=_is_within(page, item))
        if role:
            footer.setdefault(role, link)
        if item.show_in_menus and item.depth == home.depth + 1:
            menu.append(link)
    return Navigation(home.get_url(request) or "/", menu, footer, _languages(request, page))


def _is_within(page: Page | None, item: Page) -> bool:
    return page is not None and getattr(page, "path", "").startswith(item.path)


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
    translations = page.get_translations(inclusive=True).live().select_related("locale")
    return {item.locale.language_code: item.get_url(request) or "" for item in translations}


def _view_addresses(request: HttpRequest) -> dict[str, str]:
    if getattr(request, "resolver_match", None) is None:
        return {}
    return {code: translate_url(request.get_full_path(), code) for code, _name in settings.LANGUAGES}
