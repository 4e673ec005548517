"""Scripted misbehaviour: what goes wrong, on which operation, how often.

A fault is a JSON object:
  on      start | fetch | refund | find_refunds | settlements | balance | token | capture | webhook | any
  kind    see KINDS
  times   how many times it strikes (default 1; null: until cleared)
  skip    let that many matching calls pass first (default 0)
  rate    strike with this probability (default 1; `seed` makes it repeatable)
  face    simulated | stripe | helloasso (default: all)
  match   a text found in the path or the body (a key, a reference)
and the details a kind reads: seconds, count, cents, currency, key, raw_state, retry_after.
"""

import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any

OPERATIONS = {
    "start",
    "fetch",
    "refund",
    "find_refunds",
    "settlements",
    "balance",
    "token",
    "capture",
    "webhook",
    "any",
}
KINDS = {
    # a call: before the effect, after it, or never answered
    "error_before",
    "error_after",
    "timeout_before",
    "timeout_after",
    "close_after",
    "garbage",
    "rate_limited",
    # a refund
    "pending_then_failed",
    "stay_pending",
    "low_balance",
    "fails",
    "mfa",
    # the capture: what the bank took is not what was asked
    "wrong_amount",
    "wrong_currency",
    "wrong_reference",
    "raw_state",
    # a webhook
    "duplicate",
    "reorder",
    "delay",
    "drop",
    "bad_signature",
    "stale",
}


class BadFault(ValueError):
    """The script asks for something this stand-in does not know."""


@dataclass
class Fault:
    on: str
    kind: str
    times: int | None = 1
    skip: int = 0
    rate: float = 1.0
    face: str = ""
    match: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    struck: int = 0
    chance: random.Random = field(default_factory=random.Random, repr=False)

    @classmethod
    def from_json(cls, script: dict[str, Any]) -> "Fault":
        script = dict(script)
        known = {
            name: script.pop(name) for name in ("times", "skip", "rate", "face", "match") if name in script
        }
        on, kind = script.pop("on", ""), script.pop("kind", "")
        if on not in OPERATIONS:
            raise BadFault(f"'on' must be one of {', '.join(sorted(OPERATIONS))}; got {on!r}")
        if kind not in KINDS:
            raise BadFault(f"'kind' must be one of {', '.join(sorted(KINDS))}; got {kind!r}")
        fault = cls(on=on, kind=kind, details=script, **known)
        fault.chance.seed(script.get("seed"))
        return fault

    def to_json(self) -> dict[str, Any]:
        names = ("on", "kind", "times", "skip", "rate", "face", "match", "struck")
        return {**{name: getattr(self, name) for name in names}, **self.details}


class Faults:
    """The script being played. Kept in memory: a restarted stand-in behaves."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.script: list[Fault] = []

    def add(self, scripts: list[dict[str, Any]]) -> None:
        faults = [Fault.from_json(script) for script in scripts]
        with self.lock:
            self.script.extend(faults)

    def clear(self) -> None:
        with self.lock:
            self.script.clear()

    def to_json(self) -> list[dict[str, Any]]:
        with self.lock:
            return [fault.to_json() for fault in self.script]

    def take(self, face: str, operation: str, text: str, kinds: set[str] | None = None) -> Fault | None:
        """The first fault that strikes now, counted as struck."""
        if not self.script:
            return None
        with self.lock:
            for fault in self.script:
                if (
                    fault.on not in (operation, "any")
                    or (fault.face and fault.face != face)
                    or (fault.match and fault.match not in text)
                    or (kinds is not None and fault.kind not in kinds)
                    or fault.times == 0
                ):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.rate < 1 and fault.chance.random() >= fault.rate:
                    continue
                fault.struck += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


def as_text(value: Any) -> str:
    """What `match` is looked for in."""
    return value if isinstance(value, str) else json.dumps(value)
