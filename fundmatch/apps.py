from django.apps import AppConfig
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
