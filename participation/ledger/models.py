"""The ledger: one row is one debit, one credit, positive cents. Append-only by trigger and by grants.

Shape and reasons: docs/adr/0005-one-row-two-accounts.md, after TigerBeetle's transfers.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from defis.models import Campaign, Organisation, Project
from participation.payments.models import Payment, Refund


class LedgerAccount(models.Model):
    """One account of one legal holder. `debit` accounts hold what is owned, `credit` ones what is owed."""

    class Kind(models.TextChoices):
        CLEARING = "clearing", _("payment provider")
        BANK = "bank", _("bank")
        ESCROW = "escrow", _("held for a project")
        PLEDGE = "pledge", _("promised by a funder (memo)")
        MATCH = "match", _("complementary money of a funder for a project")
        RECEIVABLE = "receivable", _("called from a funder")
        REFUND_DUE = "refund_due", _("owed to contributors")
        FEES = "fees", _("provider's fees")
        SPONSOR = "sponsor", _("who bears the fees")
        FEE_INCOME = "fee_income", _("agreed fee on success")
        DISPUTES = "disputes", _("disputes")
        PAYABLE = "payable", _("owed to a holder of project")
        SUSPENSE = "suspense", _("to be explained")

    class Side(models.TextChoices):
        DEBIT = "debit", _("debit")
        CREDIT = "credit", _("credit")

    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="ledger_accounts")
    code = models.CharField(max_length=160)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    side = models.CharField(max_length=6, choices=Side.choices)
    may_overdraw = models.BooleanField(default=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, null=True, blank=True, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="+")
    funder = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("ledger account")
        verbose_name_plural = _("ledger accounts")
        constraints = [models.UniqueConstraint(fields=["holder", "code"], name="abonde_account_once")]

    def __str__(self) -> str:
        return self.code


class LedgerTransaction(models.Model):
    """Why entries were written: one event, once (`event_key`)."""

    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="ledger_transactions")
    event_key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=32)
    campaign = models.ForeignKey(Campaign, models.PROTECT, null=True, blank=True, related_name="+")
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="ledger_transactions"
    )
    refund = models.ForeignKey(
        Refund, models.PROTECT, null=True, blank=True, related_name="ledger_transactions"
    )
    reason = models.TextField(blank=True)
    posted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    posted_at = models.DateTimeField()

    class Meta:
        verbose_name = _("ledger transaction")
        verbose_name_plural = _("ledger transactions")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.event_key


class LedgerEntry(models.Model):
    """`amount_cents` leaves nowhere and arrives nowhere: from one account to another of the same holder."""

    transaction = models.ForeignKey(LedgerTransaction, models.PROTECT, related_name="entries")
    # Indexed together with the writing transaction (column `xid`, known to the database only): migration 0003.
    debit = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="debits", db_index=False)
    credit = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="credits", db_index=False)
    amount_cents = models.PositiveBigIntegerField()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_cents__gte=1), name="abonde_entry_is_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="abonde_entry_moves"),
        ]

    def __str__(self) -> str:
        return f"{self.debit_id} → {self.credit_id}: {self.amount_cents}"


class LedgerDay(models.Model):
    """Digest of a day's entries, chained to the day before: a rewrite of the past would show."""

    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="ledger_days")
    day = models.DateField()
    last_transaction = models.BigIntegerField()
    entries = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    previous_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("ledger day")
        verbose_name_plural = _("ledger days")
        ordering = ["holder", "day"]
        constraints = [models.UniqueConstraint(fields=["holder", "day"], name="abonde_ledger_day_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.sha256[:12]}"
