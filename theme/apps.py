from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ThemeConfig(AppConfig):
    name = "theme"
    label = "abonde_theme"
    verbose_name = _("Public look")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_delete, post_save

        from theme.memory import forget

        for signal in (post_save, post_delete):
            signal.connect(forget, dispatch_uid="abonde_theme_forget")
