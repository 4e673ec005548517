from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DefisConfig(AppConfig):
    name = "defis"
    label = "abonde_defis"
    verbose_name = _("Challenges, funds and projects")
    default_auto_field = "django.db.models.BigAutoField"
