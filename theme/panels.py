"""What one room shows on another's page, without either importing the other.

Hooks (registered with wagtail.hooks in any app):

- `abonde_home_panels`: fn(request) -> list of Components, on the home page;
- `abonde_project_panels`: fn(request, project, funding) -> list of Components, on a project page;
- `abonde_account_links`: fn(request) -> list of theme.components.Link, in the header;
- `abonde_footer_links`: fn(request) -> list of theme.components.Link, in the footer;
- `abonde_plan_links`: fn(request) -> list of theme.components.Link, in the site map;
- `abonde_receipt_links`: fn(request, contribution) -> list of theme.components.Link, under a receipt;
- `abonde_gallery_states`: fn(request) -> list of theme.states.State, in the states gallery.

A function that shows nothing returns an empty list. Order is Wagtail's: the `order` of registration.
"""

from collections.abc import Iterable
from typing import Any

from wagtail import hooks


def panels(name: str, *args: Any) -> list[Any]:
    """Everything that the functions registered for the hook `name` return, in order."""
    collected: list[Any] = []
    for function in hooks.get_hooks(name):
        found: Iterable[Any] | None = function(*args)
        collected.extend(found or [])
    return collected
