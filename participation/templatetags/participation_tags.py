"""Tags of the pages about people. Load with {% load participation_tags %}."""

from django import template
from django.conf import settings
from django.template import Context
from django.templatetags.static import static

from participation.identity.providers import Provider, providers_for

register = template.Library()


@register.simple_tag
def franceconnect_css() -> str:
    """Address of the official button's style sheet, "" when the authority has not provided it."""
    path = settings.ABONDE_FRANCECONNECT_BUTTON_CSS
    if not path or path.startswith(("/", "https://")):
        return path
    return static(path)


@register.simple_tag(takes_context=True)
def agent_providers(context: Context) -> list[Provider]:
    """Ways for agents of the administration to sign in: {% agent_providers as agents %}."""
    request = context.get("request")
    return [p for p in providers_for(request) if not p.for_residents] if request is not None else []
