"""Panels of the admin's forms."""

from wagtail.admin.panels import Panel


class ContrastPanel(Panel):
    """How readable the saved colours are, in words and with a sample, and what replaces the others."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "theme/admin/contrast_panel.html"

        def get_context_data(self, parent_context=None):
            return {**super().get_context_data(parent_context), "verdicts": self.instance.verdicts()}
