"""Port: tell somebody something. A higher room sends the messages, through a Wagtail hook.

`hooks.register("abonde_notify")` a function `(kind: str, context: dict) -> None`; it is called inside
the transaction of the service that speaks, so it must queue, never send.
"""

from typing import Any

from wagtail import hooks


def notify(kind: str, **context: Any) -> None:
    """Hand a message to whoever delivers messages; nobody listening is not an error."""
    for listener in hooks.get_hooks("abonde_notify"):
        listener(kind, context)
