"""`manage.py close_due_campaigns`: the bell rings by the clock, not by a hand."""

from typing import Any

from django.core.management.base import BaseCommand

from fundmatch.services import close_due_campaigns


class Command(BaseCommand):
    help = "Calculate every campaign whose collection has ended and that has no calculation yet. Idempotent."

    def handle(self, *args: Any, **options: Any) -> None:
        runs = close_due_campaigns()
        for run in runs:
            self.stdout.write(f"{run.campaign.slug}: calculated, result {run.result_sha256}")
        if not runs:
            self.stdout.write("No campaign to close.")
