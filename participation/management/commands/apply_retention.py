"""`manage.py apply_retention [--dry-run]`: forget what is too old. Run it every night."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from participation.identity.privacy import retention


class Command(BaseCommand):
    help = "Forget personal data that is older than ABONDE_RETENTION_DAYS; contributions keep their amounts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = "would be forgotten" if options["dry_run"] else "forgotten"
        for name, number in retention(dry_run=options["dry_run"]).items():
            self.stdout.write(f"{number:>8} {name} {verb}")
