"""Tags and filters of the public templates. Load with {% load theme_tags %}."""

from datetime import datetime
from typing import Any

from django import template
from django.template import Context
from django.template.loader import get_template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from wagtail.models import Site

from theme.components import FundingBar, Link, funding_bar
from theme.icons import PATHS
from theme.memory import remembered
from theme.models import AccessibilitySettings, BrandSettings
from theme.moments import format_day, format_moment
from theme.money import format_euros, format_percent
from theme.navigation import Navigation, navigation
from theme.panels import panels
from theme.visitor import session_is_editor, session_seconds_left, signed_in_user

register = template.Library()


@register.filter
def euros(cents: int | None) -> str:
    """Cents to « 1 234,50 € » or « 20 € »; nothing for None."""
    return "" if cents is None else format_euros(int(cents))


@register.filter
def percent_of(part_cents: int, whole_cents: int) -> str:
    """« 62 % », rounded down."""
    return format_percent(part_cents, whole_cents)


@register.filter
def at(items: Any, index: int) -> Any:
    """The item at a position; nothing past the end."""
    return items[index] if index < len(items) else ""


@register.filter
def page_range(page_obj: Any) -> list[Any]:
    """Page numbers worth a link, with an ellipsis where some are left out."""
    return list(page_obj.paginator.get_elided_page_range(page_obj.number, on_each_side=2, on_ends=1))


@register.filter
def footer_roles(roles: str, nav: Navigation) -> list[Link]:
    """The footer links of these roles, in this order: {{ "how legal"|footer_roles:nav }}."""
    return [nav.footer[role] for role in roles.split() if role in nav.footer]


@register.filter
def day(moment: datetime | None) -> str:
    """« 4 décembre 2026 »."""
    return format_day(moment) if moment else ""


@register.filter
def day_and_hour(moment: datetime | None) -> str:
    """« 4 décembre 2026 à 20 h », in the site's time zone."""
    return format_moment(moment) if moment else ""


@register.simple_tag
def icon(name: str) -> SafeString:
    """A pictogram; always decorative, the words are beside it. KeyError for an unknown name."""
    return format_html(
        '<svg class="pb-icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"'
        ' focusable="false"><path d="{}"/></svg>',
        PATHS[name],
    )


@register.inclusion_tag("theme/components/funding_bar.html", name="funding_bar")
def funding_bar_tag(
    funding: Any,
    goal_cents: int,
    threshold_cents: int | None = None,
    threshold_on_citizens: bool = False,
    compact: bool = False,
) -> dict[str, Any]:
    """The bar of a project, with its sentences; `compact` for cards (no legend, no table).

    `funding` has citizens_cents, as_of, matches, aid_low_cents, aid_high_cents (None: unknown), final.
    """
    bar: FundingBar = funding_bar(
        goal_cents=goal_cents,
        citizens_cents=funding.citizens_cents,
        matches=funding.matches,
        aid_low_cents=None if funding.final else funding.aid_low_cents,
        aid_high_cents=None if funding.final else funding.aid_high_cents,
        threshold_cents=threshold_cents,
        threshold_on_citizens=threshold_on_citizens,
    )
    return {"bar": bar, "compact": compact, "as_of": funding.as_of, "final": funding.final}


@register.simple_tag(takes_context=True)
def component(context: Context, item: Any) -> SafeString:
    """Render a laces Component (an item of a hook's panels)."""
    return item.render_html(context)


@register.simple_tag(takes_context=True)
def state_body(context: Context, state: Any) -> SafeString:
    """A state of the gallery, rendered by its own template with its own data."""
    html = get_template(state.template).render(dict(state.context), context.get("request"))
    return mark_safe(html)  # noqa: S308 (a template's own output)


@register.simple_tag(takes_context=True)
def hook_panels(context: Context, name: str, *args: Any) -> list[Any]:
    """What the rooms registered for a hook: {% hook_panels "abonde_home_panels" as items %}."""
    request = context.get("request")
    return panels(name, request, *args) if request is not None else []


@register.simple_tag(takes_context=True)
def site_navigation(context: Context) -> Navigation:
    """Menu, footer and languages of this page: {% site_navigation as nav %}."""
    return navigation(context.get("request"), context.get("page"))


def _site_setting(request: Any, model: Any) -> Any:
    """A setting of the site that answers, read at most every few seconds."""
    site = Site.find_for_request(request) if request is not None else None
    if site is None:
        return model()
    return remembered((model._meta.label, site.pk), lambda: model.for_request(request))


@register.simple_tag(takes_context=True)
def brand(context: Context) -> BrandSettings:
    """The site's brand: {% brand as brand %}."""
    request = context.get("request")
    return _site_setting(request, BrandSettings)


@register.simple_tag(takes_context=True)
def accessibility(context: Context) -> AccessibilitySettings:
    """Where the site stands with the RGAA: {% accessibility as state %}."""
    request = context.get("request")
    return _site_setting(request, AccessibilitySettings)


@register.simple_tag(takes_context=True)
def visitor(context: Context) -> Any:
    """The signed-in user or None, without making the page private: {% visitor as user %}."""
    return signed_in_user(context.get("request"))


@register.simple_tag(takes_context=True)
def is_editor(context: Context) -> bool:
    """Whether to load Wagtail's bar; asked once per session."""
    return session_is_editor(context.get("request"))


@register.simple_tag(takes_context=True)
def account_links(context: Context) -> list[Link]:
    """Links of the header about the visitor's account."""
    request = context.get("request")
    return panels("abonde_account_links", request) if request is not None else []


@register.simple_tag(takes_context=True)
def session_seconds(context: Context) -> int:
    """Seconds left to a signed-in session."""
    return session_seconds_left(context["request"])


@register.simple_tag(takes_context=True)
def query_with(context: Context, **changes: Any) -> SafeString:
    """The present query string with some values changed: {% query_with page=2 %}."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query[name] = str(value)
    # QueryDict.urlencode() has escaped every value.
    return mark_safe("?" + query.urlencode().replace("&", "&amp;"))  # noqa: S308
