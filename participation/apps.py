from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ParticipationConfig(AppConfig):
    name = "participation"
    label = "abonde_participation"
    verbose_name = _("Residents and their money")
    default_auto_field = "django.db.models.BigAutoField"
