"""Prove the fifteen invariants of the money; the first that fails ends with an error."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from defis.models import Campaign, Organisation
from participation.ledger.proof import prove


class Command(BaseCommand):
    help = "Print the fifteen invariants of the ledger with their figures (cents); fail on the first that is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--holder", help="name or number of the legal holder")
        parser.add_argument("--campaign", help="slug of the campaign")
        parser.add_argument("--chain", action="store_true", help="digest every sealed entry again")

    def handle(self, *args, **options) -> None:
        holder = campaign = None
        if name := options["holder"]:
            by = {"pk": int(name)} if name.isdigit() else {"name": name}
            holder = Organisation.objects.filter(**by).first()
            if holder is None:
                raise CommandError(f"No organisation named {name}.")
        if slug := options["campaign"]:
            campaign = Campaign.objects.filter(slug=slug).first()
            if campaign is None:
                raise CommandError(f"No campaign {slug}.")
        for proof in prove(holder=holder, campaign=campaign, chain=options["chain"]):
            self.stdout.write(str(proof))
            if not proof.ok:
                raise CommandError(f"Invariant {proof.number} does not hold.")
        self.stdout.write("Every invariant holds.")
