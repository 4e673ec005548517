"""« Argent » in the admin's menu and on its first screen: each role sees what is its own."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import include, path, reverse, reverse_lazy
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem
from wagtail.admin.ui.components import Component

from defis.permissions import Role, funds_for
from participation.admin import urls as money_urls
from participation.admin.audit import ACTIONS
from participation.admin.figures import slips_to_confirm
from participation.admin.lists import VIEWSETS
from participation.admin.rights import ACTORS, COUNTER_READERS, COUNTERS, READERS, campaigns_for, holders_for
from participation.payments.decisions import waiting_payments
from participation.payments.models import Refund, StatementLine
from theme.components import Link


class RoleMenuItem(MenuItem):
    """Shown to whoever holds one of these roles for some fund."""

    def __init__(self, *args: Any, roles: tuple[Role, ...], whole_books: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.roles = roles
        self.whole_books = whole_books

    def is_shown(self, request: HttpRequest) -> bool:
        if self.whole_books:
            return holders_for(request.user, *self.roles).exists()
        return funds_for(request.user, *self.roles).exists()


def money_menu() -> SubmenuMenuItem:
    """The submenu, in the order of a treasurer's day."""
    items = [
        (gettext_lazy("Overview"), "abonde_money:index", "table", READERS),
        (gettext_lazy("Payments to look at"), "abonde_money:review", "warning", READERS),
        (gettext_lazy("Payments"), "abonde_payments:index", "table", READERS),
        (gettext_lazy("Contributions"), "abonde_contributions:index", "table", READERS),
        (gettext_lazy("Refunds"), "abonde_refunds:index", "rotate", READERS),
        (gettext_lazy("Reconciliation"), "abonde_money:reconciliations", "resubmit", READERS),
        (gettext_lazy("Counter journal"), "abonde_money:journal", "clipboard-list", COUNTER_READERS),
        (gettext_lazy("Ledger"), "abonde_money:ledger", "list-ol", READERS),
        (gettext_lazy("Ledger entries"), "abonde_ledger:index", "list-ol", READERS),
        (gettext_lazy("Our promises"), "abonde_money:pledges", "pick", (Role.FUNDER,)),
    ]
    menu = Menu(
        items=[
            RoleMenuItem(
                label,
                reverse_lazy(name),
                name=name.replace(":", "-").replace("_", "-"),
                icon_name=icon,
                order=order,
                roles=roles,
                whole_books=name == "abonde_money:reconciliations",
            )
            for order, (label, name, icon, roles) in enumerate(items)
        ]
    )
    return SubmenuMenuItem(gettext_lazy("Money"), menu, name="abonde-money", icon_name="table", order=250)


def viewsets() -> list[Any]:
    return [viewset() for viewset in VIEWSETS]


def admin_urls() -> list[Any]:
    return [path("abonde/argent/", include((money_urls.urlpatterns, money_urls.app_name)))]


def admin_css() -> str:
    return format_html('<link rel="stylesheet" href="{}">', static("participation/money.css"))


def log_actions(actions: Any) -> None:
    for name, (label, message) in ACTIONS.items():
        actions.register_action(name, label, message)


# --- Home -----------------------------------------------------------------------------------------------


class MoneyPanel(Component):
    """« Argent : ce qui attend »."""

    name = "abonde_money"
    order = 20
    template_name = "participation/admin/money/panel.html"

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        user = self.request.user
        return {"tasks": tasks_of(user), "reads": funds_for(user, *READERS).exists()}


def home_panel(request: HttpRequest, panels: list[Any]) -> None:
    """A panel for whoever has something to do with money."""
    if funds_for(request.user, *READERS, *COUNTER_READERS).exists():
        panels.append(MoneyPanel(request))


def tasks_of(user: Any) -> list[Link]:
    """What waits for this person about money; no call to a provider."""
    tasks: list[Link] = []
    mine = campaigns_for(user, *ACTORS)
    review = waiting_payments().filter(contribution__campaign__in=mine).count()
    if review:
        said = ngettext(
            "%(number)d payment waits for your decision.",
            "%(number)d payments wait for your decision.",
            review,
        )
        tasks.append(Link(said % {"number": review}, reverse("abonde_money:review")))
    manual = Refund.objects.filter(
        payment__contribution__campaign__in=mine, state=Refund.State.MANUAL
    ).count()
    if manual:
        said = ngettext("%(number)d refund to make by hand.", "%(number)d refunds to make by hand.", manual)
        tasks.append(Link(said % {"number": manual}, f"{reverse('abonde_refunds:index')}?state=manual"))
    for holder in holders_for(user, *ACTORS):
        lines = StatementLine.objects.filter(holder=holder, state__in=StatementLine.OPEN).count()
        if lines:
            said = ngettext(
                "%(name)s: %(number)d line of a statement to explain.",
                "%(name)s: %(number)d lines of statements to explain.",
                lines,
            )
            url = reverse("abonde_money:reconciliation", args=[holder.pk])
            tasks.append(Link(said % {"number": lines, "name": holder.name}, url))
    slips = slips_to_confirm().filter(campaign__in=campaigns_for(user, *COUNTERS)).exclude(recorded_by=user)
    for slip in slips.select_related("campaign")[:10]:
        url = reverse("abonde_money:slip", args=[slip.campaign.slug, slip.pk])
        tasks.append(Link(_("Counter slip to confirm: %(label)s") % {"label": slip.label}, url))
    return tasks
