"""A progress bar for people: on stderr, only when it is a terminal, only when the work is long."""

from __future__ import annotations

import sys
import time
from types import TracebackType

_WIDTH = 30
_SILENT_SECONDS = 0.7
_SECONDS_BETWEEN = 0.1


class ProgressBar:
    """Use as a context manager and call it with (what is being done, share done from 0 to 1)."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._on = self._stream.isatty()
        self._start = time.monotonic()
        self._last = 0.0
        self._drawn = False

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def __call__(self, stage: str, share: float) -> None:
        """Show the progress, if anyone is looking."""
        now = time.monotonic()
        if not self._on or now - self._start < _SILENT_SECONDS or now - self._last < _SECONDS_BETWEEN:
            return
        self._last = now
        self._drawn = True
        done = round(_WIDTH * min(max(share, 0.0), 1.0))
        bar = "#" * done + "-" * (_WIDTH - done)
        self._stream.write(f"\r[{bar}] {min(share, 1.0):4.0%} {stage}\x1b[K")
        self._stream.flush()
