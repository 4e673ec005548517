"""Addresses of the site. Machine addresses (callbacks, webhooks) stay outside the language prefix."""

from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path, re_path
from django.views.static import serve
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.contrib.sitemaps.views import sitemap
from wagtail.documents import urls as wagtaildocs_urls

from config.health import health
from participation import urls as participation_urls
from theme import urls as theme_urls

urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("sitemap.xml", sitemap),
    path("healthz", health),
    path("", include((theme_urls.machine_urlpatterns, "abonde_theme_machine"))),
    path("", include((participation_urls.machine_urlpatterns, "abonde_participation_machine"))),
]
if settings.ABONDE_SIMULATION:
    # A real site's proxy serves these (deploy/nginx.conf).
    urlpatterns += [re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT})]
urlpatterns += i18n_patterns(
    path("", include("theme.urls")),
    path("", include("defis.urls")),
    path("", include("participation.urls")),
    path("", include("fundmatch.urls")),
    path("", include(wagtail_urls)),
    prefix_default_language=False,
)
