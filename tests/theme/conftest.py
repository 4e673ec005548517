import pytest
from wagtail.models import Page, Site

from theme.models import AccessibilityPage, HomePage, PlainPage


@pytest.fixture
def home(db):
    """A site with a home page, two pages of text and the accessibility statement."""
    root = Page.objects.get(depth=1)
    home = root.add_child(
        instance=HomePage(
            title="Accueil",
            slug="accueil-essai",
            heading="Un euro d’habitant en appelle d’autres",
            introduction="<p>Vous choisissez un projet.</p>",
        )
    )
    site = Site.objects.get(is_default_site=True)
    site.root_page = home
    site.save()
    home.add_child(
        instance=PlainPage(title="Comment ça marche", slug="comment", role="how", show_in_menus=True)
    )
    home.add_child(instance=PlainPage(title="Nous contacter", slug="contact", role="contact"))
    home.add_child(instance=AccessibilityPage(title="Accessibilité", slug="accessibilite"))
    return home
