"""Named steps between which a crash test kills the process. Does nothing outside a simulation."""

import os
import signal

from django.conf import settings


def failpoint(name: str) -> None:
    """Die here, as by a power cut, when ABONDE_FAILPOINT names this step.

    `name` or `name:n` (at the n-th passage). Ignored unless ABONDE_SIMULATION is on.
    """
    wanted = os.environ.get("ABONDE_FAILPOINT", "")
    if not wanted or not settings.ABONDE_SIMULATION:
        return
    step, _, count = wanted.partition(":")
    if step != name:
        return
    _passages[name] = _passages.get(name, 0) + 1
    if _passages[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)


_passages: dict[str, int] = {}
