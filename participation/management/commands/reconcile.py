"""Compare the providers' statements with our books."""

from datetime import UTC, datetime
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from defis.clock import database_now
from defis.models import Organisation
from participation.payments.models import Payment, StatementLine
from participation.payments.port import ProviderError, configured_providers, provider_for
from participation.payments.reconciliation import as_csv, as_xlsx, missing_lines, reconcile, statement_rows


class Command(BaseCommand):
    help = "Match the providers' movements with ours; export them as CSV or XLSX for the accountant."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", required=True, help="first day, AAAA-MM-JJ (UTC)")
        parser.add_argument("--until", help="day after the last; now by default")
        parser.add_argument("--provider", help="this one only")
        parser.add_argument("--holder", help="name of one legal holder only")
        parser.add_argument(
            "--folder", type=Path, help="where to write one CSV and one XLSX per provider and holder"
        )

    def handle(self, *args, **options) -> None:
        try:
            since = datetime.fromisoformat(options["since"]).replace(tzinfo=UTC)
            until = database_now()
            if options["until"]:
                until = datetime.fromisoformat(options["until"]).replace(tzinfo=UTC)
        except ValueError as error:
            raise CommandError(f"Days are written AAAA-MM-JJ: {error}") from error
        for provider, holder in self._pairs(options["provider"], options["holder"]):
            try:
                run = reconcile(provider=provider, holder=holder, since=since, until=until)
            except ProviderError as error:
                raise CommandError(f"{provider} does not give its statement: {error}") from error
            self.stdout.write(
                f"{provider}, {holder}: matched {run.matched}, other amount {run.differences}, "
                f"unknown here {run.surplus}, missing there {run.missing}"
            )
            if folder := options["folder"]:
                self._export(folder, provider, holder, since, until)

    def _pairs(self, provider: str | None, holder: str | None) -> list[tuple[str, Organisation]]:
        """Providers with statements and the holders they collected for."""
        if provider and provider not in configured_providers():
            raise CommandError(f"No provider {provider} is configured here.")
        used = (
            Payment.objects.order_by("provider")
            .values_list("provider", "contribution__campaign__fund__legal_holder")
            .distinct()
        )
        holders = Organisation.objects.in_bulk([pk for _, pk in used])
        pairs = [
            (name, holders[pk])
            for name, pk in used
            if provider in (None, name)
            and holder in (None, holders[pk].name)
            and name in configured_providers()
            and provider_for(name).capabilities.settlements
        ]
        if not pairs:
            self.stdout.write("No provider with statements collected anything.")
        return pairs

    def _export(
        self, folder: Path, provider: str, holder: Organisation, since: datetime, until: datetime
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        lines = StatementLine.objects.filter(
            provider=provider, holder=holder, booked_at__gte=since, booked_at__lt=until
        ).select_related("payment__contribution", "owner")
        missing = missing_lines(provider=provider, holder=holder, since=since, until=until)
        rows = list(statement_rows(lines, missing))
        name = folder / f"{provider}-{holder.pk}-{since:%Y%m%d}-{until:%Y%m%d}"
        name.with_suffix(".csv").write_text(as_csv(rows), encoding="utf-8-sig")
        name.with_suffix(".xlsx").write_bytes(as_xlsx(rows, provider))
