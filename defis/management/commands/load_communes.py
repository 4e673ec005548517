from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from defis.services.refusals import Refused
from defis.services.territories import SHIPPED, load_communes


class Command(BaseCommand):
    help = "Load communes (INSEE code, postal codes, population, EPCI); may be run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--file", type=Path, default=SHIPPED, help="JSON of Etalab's form; default: Alsace"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = load_communes(path=options["file"])
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{count} communes")
