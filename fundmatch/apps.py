from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FundmatchConfig(AppConfig):
    name = "fundmatch"
    label = "abonde_fundmatch"
    verbose_name = _("Sharing of the complementary money")
    default_auto_field = "django.db.models.BigAutoField"
