"""`manage.py check_identity franceconnect`: compare our settings with what the provider says of itself."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from participation.identity.conformity import check_provider
from participation.identity.providers import provider_named, provider_names


class Command(BaseCommand):
    help = "Compare the settings of an identity provider with its discovery document, and say what is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider", help=f"one of: {', '.join(provider_names()) or 'none is configured'}")
        parser.add_argument(
            "--host", default="", help="host name of the site, when several have their own client"
        )
        parser.add_argument("--origin", default="", help="public origin of the site (default: PUBLIC_ORIGIN)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            provider = provider_named(options["provider"], options["host"])
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        origin = (options["origin"] or settings.PUBLIC_ORIGIN).rstrip("/")
        self.stdout.write(f"{provider.label}: client {provider.client_id} at {provider.issuer}")
        wrong = 0
        for finding in check_provider(provider, origin=origin):
            self.stdout.write(f"  {'ok ' if finding.ok else 'NO '} {finding.sentence}")
            wrong += not finding.ok
        if wrong:
            raise CommandError(f"{wrong} thing(s) to put right.")
        self.stdout.write("Everything fits. Now sign in once with a real browser, and sign out.")
