"""States of the gallery `/_pb/etats/`. Other rooms add theirs with the hook `abonde_gallery_states`."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from theme.panels import panels


@dataclass(frozen=True)
class State:
    """One thing to look at: a template and what it shows."""

    code: str
    title: str
    template: str
    context: dict[str, Any] = field(default_factory=dict)


def states(request: HttpRequest) -> list[State]:
    """The components of the theme, then the states of the other rooms."""
    return [*panels("abonde_gallery_states", request)]
