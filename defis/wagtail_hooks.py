"""What this room adds to Wagtail's admin and to other rooms' pages."""

from typing import Any

from wagtail import hooks

from defis.audit import ACTIONS


@hooks.register("register_log_actions")
def log_actions(actions: Any) -> None:
    for name, (label, message) in ACTIONS.items():
        actions.register_action(name, label, message)
