"""`manage.py verify_publication`: what is published is what was signed, stored, and what anybody redoes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fundmatch.models import Publication
from fundmatch.verification import differences_of


class Command(BaseCommand):
    help = (
        "Redo every published result from its dossier, and compare it with the database and the signatures. "
        "Exit code 1 when one differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", nargs="?", help="slug of one campaign; all of them when absent")

    def handle(self, *args: Any, **options: Any) -> None:
        publications = Publication.objects.select_related("campaign", "run").order_by("campaign", "version")
        if options["campaign"]:
            publications = publications.filter(campaign__slug=options["campaign"])
            if not publications:
                raise CommandError(f"Nothing is published for {options['campaign']}.")
        failed = 0
        for publication in publications:
            found = differences_of(publication)
            state = "differs" if found else "identical"
            self.stdout.write(f"{publication.campaign.slug} v{publication.version}: {state}")
            for difference in found:
                self.stdout.write(f"  {difference}")
            failed += bool(found)
        if failed:
            raise CommandError(f"Published results that differ: {failed}.", returncode=1)
