"""What we asked a payment provider, and what it said."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from defis.models import Organisation
from participation.contributions.models import Contribution


class Payment(models.Model):
    """One attempt to collect a contribution; amounts in cents, our key is written before the call."""

    class State(models.TextChoices):
        CREATED = "created", _("created")
        PENDING = "pending", _("waiting for the bank")
        PAID = "paid", _("paid")
        REFUND_DUE = "refund_due", _("to be refunded")
        REFUNDED = "refunded", _("refunded")
        DISPUTED = "disputed", _("disputed")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")
        REVIEW = "review", _("to be looked at by a human")

    OPEN = (State.CREATED, State.PENDING)

    contribution = models.ForeignKey(Contribution, models.PROTECT, related_name="payments")
    provider = models.CharField(_("provider"), max_length=16)
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider_reference = models.CharField(_("provider's reference"), max_length=255, blank=True)
    # The charge behind the checkout, when the provider tells them apart: what a refund names.
    provider_payment = models.CharField(max_length=255, blank=True)
    redirect_url = models.URLField(max_length=2000, blank=True)
    amount_cents = models.PositiveBigIntegerField(_("amount (cents)"))
    # What the provider says it took, when it took something; more or less than asked goes to a human.
    captured_cents = models.PositiveBigIntegerField(_("captured (cents)"), null=True, blank=True)
    fee_cents = models.PositiveBigIntegerField(_("provider's fee (cents)"), default=0)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.CREATED)
    # Instant of capture by the provider's word; decides whether the bell had rung.
    paid_at = models.DateTimeField(_("captured on"), null=True, blank=True)
    # Day when the holder's account was credited: the date of a fiscal receipt.
    credited_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(_("created on"))
    asked_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    note = models.TextField(_("what a human should know"), blank=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_cents__gte=1), name="abonde_payment_is_positive"),
            models.UniqueConstraint(
                fields=["provider", "provider_reference"],
                condition=~Q(provider_reference=""),
                name="abonde_payment_reference_once",
            ),
            # Paying twice for one contribution cannot even be started.
            models.UniqueConstraint(
                fields=["contribution"],
                condition=Q(state__in=["created", "pending", "paid", "review"]),
                name="abonde_payment_one_live",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(state__in=["created", "pending"]),
                name="abonde_payment_to_check",
            ),
            models.Index(fields=["state"], name="abonde_payment_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.key}"


class Refund(models.Model):
    """Money going back: its own object, its own key, never two open ones for a payment."""

    class State(models.TextChoices):
        CREATED = "created", _("to be sent")
        SENT = "sent", _("being sent")
        IN_TRANSIT = "in_transit", _("on its way")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        MANUAL = "manual", _("to be done by hand")

    OPEN = (State.CREATED, State.SENT, State.IN_TRANSIT, State.MANUAL)

    class Reason(models.TextChoices):
        THRESHOLD = "threshold", _("threshold not reached")
        CANCELLED = "cancelled", _("project cancelled")
        LATE = "late", _("paid after the closing")
        DUPLICATE = "duplicate", _("paid twice")
        RESIDENCY = "residency", _("residence not confirmed")
        OTHER = "other", _("other")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    amount_cents = models.PositiveBigIntegerField(_("amount (cents)"))
    reason = models.CharField(_("reason"), max_length=12, choices=Reason.choices)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.CREATED)
    provider_reference = models.CharField(_("provider's reference"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("ordered on"))
    sent_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(_("done on"), null=True, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    note = models.TextField(_("what a human should know"), blank=True)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_cents__gte=1), name="abonde_refund_is_positive"),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(state__in=["created", "sent", "in_transit", "manual"]),
                name="abonde_refund_one_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(state__in=["created", "sent", "in_transit"]),
                name="abonde_refund_to_do",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.key}"


class ProviderEvent(models.Model):
    """A webhook as it came: a hint to look again, never a truth."""

    provider = models.CharField(max_length=16)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=64, blank=True)
    provider_reference = models.CharField(max_length=255, blank=True)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True, blank=True)
    deliveries = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = _("provider's message")
        verbose_name_plural = _("provider's messages")
        ordering = ["-received_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="abonde_event_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"


class Reconciliation(models.Model):
    """One comparison of a provider's books with ours, over a period."""

    provider = models.CharField(max_length=16)
    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="reconciliations")
    since = models.DateTimeField(_("from"))
    until = models.DateTimeField(_("until"))
    made_at = models.DateTimeField(_("made on"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    matched = models.PositiveIntegerField(_("matched"), default=0)
    differences = models.PositiveIntegerField(_("differences"), default=0)
    surplus = models.PositiveIntegerField(_("surplus"), default=0)
    missing = models.PositiveIntegerField(_("missing"), default=0)

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.provider} {self.since:%Y-%m-%d}–{self.until:%Y-%m-%d}"


class StatementLine(models.Model):
    """One movement of a provider's books, and what it is in ours. Amounts in cents, + in, − out."""

    class State(models.TextChoices):
        MATCHED = "matched", _("matched")
        DIFFERENT = "different", _("another amount")
        SURPLUS = "surplus", _("unknown here")
        EXPLAINED = "explained", _("explained by a human")

    # Whose difference waits in suspense.
    OPEN = (State.DIFFERENT, State.SURPLUS)

    provider = models.CharField(max_length=16)
    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="statement_lines")
    line_id = models.CharField(max_length=255)
    kind = models.CharField(_("kind"), max_length=24)
    gross_cents = models.BigIntegerField(_("gross (cents)"))
    fee_cents = models.BigIntegerField(_("fee (cents)"), default=0)
    net_cents = models.BigIntegerField(_("net (cents)"))
    booked_at = models.DateTimeField(_("booked on"))
    available_on = models.DateTimeField(null=True, blank=True)
    payout = models.CharField(_("transfer"), max_length=255, blank=True)
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="statement_lines"
    )
    refund = models.ForeignKey(Refund, models.PROTECT, null=True, blank=True, related_name="statement_lines")
    state = models.CharField(_("state"), max_length=12, choices=State.choices)
    # What the ledger holds in suspense because of this line (signed, as the line).
    suspense_cents = models.BigIntegerField(default=0)
    note = models.TextField(_("what a human should know"), blank=True)
    noticed_at = models.DateTimeField(_("noticed on"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    explained_at = models.DateTimeField(null=True, blank=True)
    explanation = models.TextField(_("explanation"), blank=True)

    class Meta:
        verbose_name = _("line of a provider's statement")
        verbose_name_plural = _("lines of providers' statements")
        ordering = ["booked_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "line_id"], name="abonde_statement_line_once"),
            models.CheckConstraint(
                condition=Q(net_cents=models.F("gross_cents") - models.F("fee_cents")),
                name="abonde_statement_line_adds_up",
            ),
            models.CheckConstraint(
                condition=~Q(state="explained") | ~Q(explanation=""),
                name="abonde_statement_line_explained_why",
            ),
        ]
        indexes = [
            models.Index(
                fields=["holder"],
                condition=Q(state__in=["different", "surplus"]),
                name="abonde_statement_line_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.line_id}"
