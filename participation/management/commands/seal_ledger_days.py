"""Seal what was posted since the last seal; keep the printed digests outside the database."""

from django.core.management.base import BaseCommand

from participation.ledger.chain import seal_days


class Command(BaseCommand):
    help = "Chain the digest of the day's entries to the day before, for each legal holder."

    def handle(self, *args, **options) -> None:
        seals = seal_days()
        for seal in seals:
            self.stdout.write(f"{seal.day} {seal.sha256} {seal.holder} ({seal.entries} entries)")
        if not seals:
            self.stdout.write("Nothing to seal.")
