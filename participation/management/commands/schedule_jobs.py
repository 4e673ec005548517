"""Register what the worker does by the clock."""

from django.core.management.base import BaseCommand

from participation.schedules import register_schedules


class Command(BaseCommand):
    help = "Create or correct the schedules of the worker (payments, refunds, totals, mails, seal, proof)."

    def handle(self, *args, **options) -> None:
        changed = register_schedules()
        self.stdout.write("\n".join(changed) if changed else "Nothing to change.")
