"""mozilla-django-oidc as it comes out of the box, at the addresses that the stand-in knows."""

from django.http import HttpResponse
from django.urls import path
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

urlpatterns = [
    path("", lambda request: HttpResponse("home")),
    path("connexion/franceconnect/", OIDCAuthenticationRequestView.as_view()),
    path(
        "oidc/franceconnect/callback/",
        OIDCAuthenticationCallbackView.as_view(),
        name="oidc_authentication_callback",
    ),
]
