"""Tags of the pages about people. Load with {% load participation_tags %}."""

from django import template
from django.conf import settings
from django.templatetags.static import static

register = template.Library()


@register.simple_tag
def franceconnect_css() -> str:
    """Address of the official button's style sheet, "" when the authority has not provided it."""
    path = settings.ABONDE_FRANCECONNECT_BUTTON_CSS
    if not path or path.startswith(("/", "https://")):
        return path
    return static(path)
