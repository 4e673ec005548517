"""`manage.py hash_resident_list in.csv out.csv`: hash a list of residents where it lives, before sending it.

Runs at the authority with the shared ABONDE_LIST_KEY; columns nom, prenom, date_naissance. Only digests come out.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from participation.residency.lists import MAX_ERRORS, digests_of


class Command(BaseCommand):
    help = "Turn a list of residents (nom, prenom, date_naissance) into keyed hashes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path)
        parser.add_argument("target", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.ABONDE_LIST_KEY:
            raise CommandError("Set ABONDE_LIST_KEY to the key agreed with the site that will read the list.")
        digests, errors = set(), []
        with options["source"].open(encoding="utf-8-sig", newline="") as lines:
            for number, digest, wrong in digests_of(lines):
                if wrong:
                    errors.append(f"line {number}: {wrong}")
                else:
                    digests.add(digest)
        if errors or not digests:
            raise CommandError(
                "Nothing was written.\n" + "\n".join(errors[:MAX_ERRORS] or ["the file holds nobody"])
            )
        # Sorted: the order of the source says nothing any more.
        options["target"].write_text("digest\n" + "\n".join(sorted(digests)) + "\n", encoding="ascii")
        self.stdout.write(f"{len(digests)} residents hashed.")
