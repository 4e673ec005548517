from django.db import models
from wagtail.models import Page


class PrefixedPage(Page):
    """A page whose name may be anybody's: a host site with a HomePage of its own does not clash with ours."""

    page_ptr = models.OneToOneField(
        Page, models.CASCADE, parent_link=True, related_name="%(app_label)s_%(class)s"
    )

    class Meta:
        abstract = True
