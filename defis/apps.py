from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DefisConfig(AppConfig):
    name = "defis"
    label = "abonde_defis"
    verbose_name = _("Challenges, funds and projects")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from wagtail.permissions import register_permission_policy

        from defis.permissions import policies

        for model, policy in policies():
            register_permission_policy(model, policy)
