"""What the money core asks of any payment provider, and nothing more.

Amounts are integer cents, times are aware and in UTC, references are the provider's own strings.
A provider's message is a hint; only `fetch()` and `find_refunds()` are believed.

Four ways to fail, and the difference is money:
- `ProviderUnavailable`: nobody knows whether it happened. Ask again before acting again.
- `ProviderRefused`: it did not happen and will not with this request.
- `NeedsHuman`: it did not happen and no program may insist.
- `WebhookRejected`: somebody else is talking.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise
else:
    StrOrPromise = str

CURRENCY = "EUR"


# --- Ways to fail -----------------------------------------------------------------------------------
class ProviderError(Exception):
    """Base of what an adapter raises. `code` is ours or the provider's, `detail` is for the log.

    `sentence` is for people: what happened to the money and what comes next.
    """

    default_sentence: StrOrPromise = _("Something went wrong at the payment provider.")

    def __init__(self, code: str, detail: str = "", *, sentence: StrOrPromise | None = None) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.sentence = sentence or self.default_sentence


class ProviderUnavailable(ProviderError):
    """Outcome unknown: time-out, 5xx, broken answer, too many requests. `retry_after` in seconds."""

    default_sentence = _("The payment provider does not answer. Nothing is lost: we will ask it again.")

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        sentence: StrOrPromise | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, detail, sentence=sentence)
        self.retry_after = retry_after


class ProviderRefused(ProviderError):
    """A definite no: nothing moved, and the same request would get the same answer."""

    default_sentence = _("The payment provider refused. No money has moved.")


class UnknownReference(ProviderRefused):
    """The provider has never heard of this reference."""

    default_sentence = _("The payment provider does not know this payment.")


class NeedsHuman(ProviderError):
    """Nothing moved and a person has to act at the provider's or at the bank (second factor, no API)."""

    default_sentence = _("A person has to act at the payment provider. No money has moved.")


class WebhookRejected(ProviderError):
    """Not signed, not fresh, or not from the provider."""

    default_sentence = _("This message does not come from the payment provider.")


# --- What a provider can do -------------------------------------------------------------------------
class WebhookAuth(StrEnum):
    HMAC = "hmac"
    IP = "ip"
    NONE = "none"


class RefundMode(StrEnum):
    API = "api"
    OFFLINE = "offline"  # by bank transfer or at the counter: `refund()` raises NeedsHuman


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """Declared by each adapter, checked by the conformance suite, read by the opening checks.

    `idempotency`: the same key twice is one effect. Without it, always `find_refunds()` before `refund()`.
    `refund_window_days`: days after capture during which a refund is accepted; None when unlimited.
    0 when nobody has told us yet: no campaign may open on it.
    `payout_deadline_days`: days after which the provider pays the money out whatever we want; None: never.
    `page_minutes`: after that long without a payment nobody can pay on the hosted page any more, even if
    the provider never says so; None when there is no such page.
    `call_seconds`: longest a single call may last; a lease must be longer.
    """

    idempotency: bool
    webhook_auth: WebhookAuth
    refunds: RefundMode
    partial_refunds: bool
    lookup_refunds: bool
    async_confirm: bool
    needs_redirect: bool
    settlements: bool
    min_cents: int
    max_cents: int | None = None
    refund_window_days: int | None = None
    payout_deadline_days: int | None = None
    page_minutes: int | None = None
    call_seconds: int = 25


# --- What is asked and answered ---------------------------------------------------------------------
class PaymentState(StrEnum):
    """State of a collection. A refunded or disputed payment stays PAID: read the other fields."""

    CREATED = "created"  # nobody has tried to pay yet
    PENDING = "pending"  # tried, waiting for the bank
    PAID = "paid"  # captured: `paid_at` says when
    FAILED = "failed"  # will never be paid
    EXPIRED = "expired"  # the payment page is closed, nothing was taken
    UNKNOWN = "unknown"  # a state this adapter has no word for: a human must look


class RefundState(StrEnum):
    PENDING = "pending"  # accepted, money not sent yet (low balance, for instance)
    IN_TRANSIT = "in_transit"  # sent to the bank
    DONE = "done"
    FAILED = "failed"  # came back or was refused: the provider holds the money again
    UNKNOWN = "unknown"  # a human must look


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """One attempt to collect. `key` is written in our database before the call.

    `reference` is the contribution's public reference and `title` what the payer reads on the hosted page.
    `expires_at` asks for a payment page that closes then; providers round it relative to `asked_at` (when
    our payment was written), or ignore it. Build a retry from the same stored facts: a provider that knows
    the key refuses other values under it.
    `attempt` opens a new page under a new idempotency key, for a provider that replays its own 500.
    """

    key: UUID
    amount_cents: int
    reference: str
    title: str
    return_url: str
    currency: str = CURRENCY
    cancel_url: str = ""
    notify_url: str = ""
    email: str = ""
    locale: str = "fr"
    expires_at: datetime | None = None
    asked_at: datetime | None = None
    attempt: int = 0


@dataclass(frozen=True, kw_only=True)
class Started:
    """`redirect_url` is empty when nothing is to be paid on another site."""

    provider_reference: str
    redirect_url: str = ""
    state: PaymentState = PaymentState.CREATED


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the provider says now. `our_key` is None when the provider does not give our key back.

    `refunded_cents` counts refunds that are done or on their way, not the failed ones.
    `fee_cents` is 0 when the provider does not tell. `paid_out` is True once the money has left for the
    holder's bank, None when the provider does not tell.
    """

    provider_reference: str
    state: PaymentState
    amount_cents: int
    currency: str
    our_key: UUID | None
    paid_at: datetime | None = None
    provider_payment: str = ""
    fee_cents: int = 0
    refunded_cents: int = 0
    disputed: bool = False
    paid_out: bool | None = None
    raw_state: str = ""


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    """Money to give back. `key` is written in our database before the call.

    `attempt` separates two tries at a provider that replays its own 500 for a known key: raise it only
    after `find_refunds()` has shown that the earlier try moved nothing.
    `known_references` are the provider's references of this payment's other refunds: a provider without
    keys tells an earlier try of ours from somebody else's refund by them.
    """

    key: UUID
    payment_key: UUID
    provider_reference: str
    amount_cents: int
    provider_payment: str = ""
    currency: str = CURRENCY
    attempt: int = 0
    known_references: frozenset[str] = frozenset()
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class RefundSnapshot:
    """`our_key` is None for a refund made by somebody else (the provider's console), or untold."""

    provider_reference: str
    state: RefundState
    amount_cents: int
    currency: str = CURRENCY
    our_key: UUID | None = None
    created_at: datetime | None = None
    done_at: datetime | None = None
    raw_state: str = ""
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Hint:
    """ "Look at this payment": `event_id` is unique per provider and deduplicates deliveries."""

    event_id: str
    kind: str
    provider_reference: str = ""
    our_key: UUID | None = None
    provider_payment: str = ""
    payload: dict[str, Any] = field(default_factory=dict)


class SettlementKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"
    DISPUTE_REVERSAL = "dispute_reversal"
    FEE = "fee"
    PAYOUT = "payout"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class SettlementLine:
    """One movement on the provider's account, as its own books tell it.

    `gross_cents` and `net_cents` are signed (+ in, − out) and `net = gross − fee`. `at` is when it was
    booked, `available_on` when the money can be paid out.
    """

    line_id: str
    kind: SettlementKind
    gross_cents: int
    fee_cents: int
    net_cents: int
    at: datetime
    currency: str = CURRENCY
    available_on: datetime | None = None
    our_key: UUID | None = None
    our_refund_key: UUID | None = None
    provider_reference: str = ""
    provider_payment: str = ""
    provider_refund: str = ""
    payout: str = ""
    raw_kind: str = ""


@runtime_checkable
class PaymentProvider(Protocol):
    """Implemented by each module of `providers/`. Every call ends within `capabilities.call_seconds`."""

    name: str
    capabilities: Capabilities

    def start(self, request: StartRequest) -> Started:
        """Open a collection. Call it after the commit that wrote `request.key`, never inside.

        Asking again with the same key is safe: either the same page comes back, or (no idempotency) a new
        page whose elder nobody has ever seen. Raises ProviderUnavailable, ProviderRefused, NeedsHuman.
        """

    def fetch(
        self, provider_reference: str, *, key: UUID | None = None, provider_payment: str = ""
    ) -> Snapshot:
        """The truth about one collection. Raises UnknownReference, ProviderUnavailable, ProviderRefused."""

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        """Give money back to the instrument it came from. Never sends more than was captured.

        Raises ProviderUnavailable (then `find_refunds()` before anything else), ProviderRefused, NeedsHuman.
        """

    def find_refunds(self, provider_reference: str, *, provider_payment: str = "") -> list[RefundSnapshot]:
        """Every refund the provider knows for this collection, ours or not, failed ones included.

        Raises UnknownReference, ProviderUnavailable.
        """

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, remote_ip: str = "") -> list[Hint]:
        """Check who speaks, then say where to look. An empty list: authentic, of no interest.

        `headers` are matched without case. Raises WebhookRejected.
        """

    def settlements(self, since: datetime, until: datetime) -> Iterable[SettlementLine]:
        """Movements booked in [since, until), oldest first. Raises ProviderUnavailable.

        A provider whose capabilities deny settlements raises NeedsHuman.
        """

    def balance(self) -> int | None:
        """Cents the provider holds for us, available or not; None when it does not tell.

        Raises ProviderUnavailable.
        """


# --- Registry ---------------------------------------------------------------------------------------
def provider_for(name: str) -> PaymentProvider:
    """The adapter configured under `name` in ABONDE_PAYMENT_PROVIDERS (kept for the process's life).

    Raises ImproperlyConfigured when no such provider is configured here.
    """
    return _build(name)


def configured_providers() -> list[str]:
    """Names usable in this installation, in the settings' order."""
    return list(settings.ABONDE_PAYMENT_PROVIDERS)


@cache
def _build(name: str) -> PaymentProvider:
    try:
        options = dict(settings.ABONDE_PAYMENT_PROVIDERS[name])
        adapter = import_string(options.pop("ADAPTER"))
    except KeyError:
        raise ImproperlyConfigured(
            f"No payment provider named {name!r} in ABONDE_PAYMENT_PROVIDERS "
            f"(there are: {', '.join(settings.ABONDE_PAYMENT_PROVIDERS) or 'none'})."
        ) from None
    return adapter(name=name, **{key.lower(): value for key, value in options.items()})


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "ABONDE_PAYMENT_PROVIDERS":
        _build.cache_clear()


setting_changed.connect(_forget)
