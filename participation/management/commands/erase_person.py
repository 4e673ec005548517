"""`manage.py erase_person PUBLIC_ID`: forget somebody who wrote to us instead of using the site."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from participation.identity.models import Person
from participation.identity.privacy import ErasureWaits, erase_person


class Command(BaseCommand):
    help = "Forget a person; her contributions stay in the accounts, without a name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("public_id", help="identifier of the account, on the person's page of data")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = Person.objects.get(public_id=options["public_id"], erased_at__isnull=True)
        except (Person.DoesNotExist, ValidationError):
            raise CommandError("No account has this identifier.") from None
        try:
            erase_person(person=person)
        except ErasureWaits as waits:
            raise CommandError(waits.message) from None
        self.stdout.write("Forgotten.")
