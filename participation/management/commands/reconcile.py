"""Compare a provider's statement with our books."""

from datetime import UTC, datetime
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from defis.models import Organisation
from participation.payments.models import StatementLine
from participation.payments.port import ProviderError, configured_providers
from participation.payments.reconciliation import as_csv, as_xlsx, missing_lines, reconcile, statement_rows


class Command(BaseCommand):
    help = "Match the provider's movements with ours; export them as CSV or XLSX for the accountant."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider")
        parser.add_argument("holder", help="name of the legal holder")
        parser.add_argument("since", help="first day, AAAA-MM-JJ")
        parser.add_argument("until", help="day after the last, AAAA-MM-JJ")
        parser.add_argument("--csv", type=Path)
        parser.add_argument("--xlsx", type=Path)

    def handle(self, *args, **options) -> None:
        if options["provider"] not in configured_providers():
            raise CommandError(f"No provider {options['provider']} is configured here.")
        holder = Organisation.objects.filter(name=options["holder"]).first()
        if holder is None:
            raise CommandError(f"No organisation named {options['holder']}.")
        try:
            since, until = (
                datetime.fromisoformat(options[name]).replace(tzinfo=UTC) for name in ("since", "until")
            )
        except ValueError as error:
            raise CommandError(f"Days are written AAAA-MM-JJ: {error}") from error
        period = {"provider": options["provider"], "holder": holder, "since": since, "until": until}
        try:
            run = reconcile(**period)
        except ProviderError as error:
            raise CommandError(f"The provider does not give its statement: {error}") from error
        self.stdout.write(
            f"matched {run.matched}, other amount {run.differences}, unknown here {run.surplus}, "
            f"missing there {run.missing}"
        )
        lines = StatementLine.objects.filter(
            provider=period["provider"], holder=holder, booked_at__gte=since, booked_at__lt=until
        ).select_related("payment__contribution", "owner")
        rows = list(statement_rows(lines, missing_lines(**period)))
        if options["csv"]:
            options["csv"].write_text(as_csv(rows), encoding="utf-8-sig")
        if options["xlsx"]:
            options["xlsx"].write_bytes(as_xlsx(rows, options["provider"]))
