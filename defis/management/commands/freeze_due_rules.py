from typing import Any

from django.core.management.base import BaseCommand

from defis.services import freeze_due_rules


class Command(BaseCommand):
    help = (
        "Freeze the rules of campaigns whose opening has passed; may be run at any time, by several workers."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for campaign in freeze_due_rules():
            self.stdout.write(f"{campaign.slug} {campaign.rules_sha256}")
