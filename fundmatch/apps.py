from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class FundmatchConfig(AppConfig):
    name = "fundmatch"
    label = "abonde_fundmatch"
    verbose_name = _("Sharing of the complementary money")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from defis.funding import register_aid_estimator, register_funding_source, register_simulator
        from fundmatch.estimates import aid_of, simulate_gifts
        from fundmatch.funding import published_funding

        # After participation's own source: what is published replaces what is being counted.
        register_funding_source(published_funding)
        register_aid_estimator(aid_of)
        register_simulator(simulate_gifts)
        post_migrate.connect(schedule_the_bell, sender=self)


def schedule_the_bell(**kwargs: Any) -> None:
    """Write the worker's schedule once: a site may change its rhythm, an upgrade does not change it back."""
    from django_q.models import Schedule

    Schedule.objects.get_or_create(
        name="abonde: close due campaigns",
        defaults={
            "func": "fundmatch.services.close_due_campaigns",
            "schedule_type": Schedule.MINUTES,
            "minutes": 1,
        },
    )
