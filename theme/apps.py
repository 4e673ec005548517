from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ThemeConfig(AppConfig):
    name = "theme"
    label = "abonde_theme"
    verbose_name = _("Public look")
    default_auto_field = "django.db.models.BigAutoField"
