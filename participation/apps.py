from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ParticipationConfig(AppConfig):
    name = "participation"
    label = "abonde_participation"
    verbose_name = _("Residents and their money")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from wagtail.permissions import register_permission_policy

        from defis.funding import register_funding_source
        from participation.admin.rights import policies
        from participation.contributions.selectors import project_funding

        register_funding_source(project_funding)
        for model, policy in policies():
            register_permission_policy(model, policy)
