"""Send the refunds that are due, by hand."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from defis.models import Campaign
from participation.payments.refunds import refund_progress, run_refunds


class Command(BaseCommand):
    help = "Send the refunds that are due. Interrupt it at any moment: the next run looks before it acts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--campaign", help="slug of the campaign; all of them by default")
        parser.add_argument("--limit", type=int, help="at most so many refunds")
        parser.add_argument("--workers", type=int, default=4, help="calls at once (default 4)")
        parser.add_argument("--per-second", type=float, help="at most so many calls a second")

    def handle(self, *args, **options) -> None:
        campaign = None
        if slug := options["campaign"]:
            campaign = Campaign.objects.filter(slug=slug).first()
            if campaign is None:
                raise CommandError(f"No campaign {slug}.")
        counts = run_refunds(
            limit=options["limit"],
            campaign=campaign,
            workers=options["workers"],
            per_second=options["per_second"],
        )
        self.stdout.write(
            ", ".join(f"{state} {n}" for state, n in sorted(counts.items())) or "Nothing was due."
        )
        if campaign is not None:
            for state, figures in refund_progress(campaign).items():
                self.stdout.write(f"{state}: {figures['refunds']} refunds, {figures['cents']} cents")
