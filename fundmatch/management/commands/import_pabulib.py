from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from defis.services.refusals import Refused
from fundmatch.engine import InputError
from fundmatch.engine.pabulib import read_pb
from fundmatch.services.elections import import_election


class Command(BaseCommand):
    help = (
        "Turn a real participatory-budget election (a .pb file of pabulib.org) into a campaign with its projects "
        "and gifts. Can be repeated: nothing is made twice."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="the .pb file")
        parser.add_argument(
            "--cents-per-vote",
            type=int,
            default=1_000,
            help="what an approval, or a point, is worth (default: 1000)",
        )

    def handle(self, *args, **options):
        if options["cents_per_vote"] < 1:
            raise CommandError("--cents-per-vote must be at least 1.")
        try:
            done = import_election(
                election=read_pb(options["file"]), cents_per_point=options["cents_per_vote"]
            )
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from error
        except (InputError, Refused, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{done.campaign.name}: {done.projects} new projects, {done.pages} new pages, {done.gifts} new gifts "
            f"(campaign {done.campaign.slug})."
        )
