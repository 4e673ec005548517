"""What other rooms ask us to tell: the hook `abonde_notify` of `defis.notify`."""

from typing import Any

from participation.notifications.services import queue
from participation.notifications.texts import TEXTS


def notify(kind: str, context: dict[str, Any]) -> None:
    """Queue a message to the holder of a project. Kinds that have no text are for screens, not for mails."""
    to = context.get("to", "")
    project = context.get("project")
    if kind not in TEXTS or not to or project is None:
        return
    decision = context.get("decision")
    occasion = decision.pk if decision is not None else project.submitted_at
    queue(
        key=f"{kind}:{project.pk}:{occasion}",
        kind=kind,
        to=to,
        context={
            "project": project.title,
            "reference": project.reference,
            "reason": decision.reason if decision is not None else "",
            "opens": project.opens_at or project.campaign.opens_at,
        },
    )
