"""Mails to the people who answer for the money."""

from django.contrib.auth import get_user_model

from defis.models import Role
from participation.notifications.services import Letter, queue_many


def alert_finance(what: str, *, day: str) -> None:
    """Tell every finance agent of every fund, once a day, that the books are wrong."""
    agents = (
        get_user_model()
        .objects.filter(groups__fund_roles__role=Role.FINANCE, is_active=True)
        .exclude(email="")
        .order_by("pk")
        .distinct()
    )
    queue_many(
        Letter(
            key=f"ledger_wrong:{day}:{agent.pk}",
            kind="ledger_wrong",
            to=agent.email,
            context={"what": what, "day": day, "path": "/admin/"},
        )
        for agent in agents
    )
