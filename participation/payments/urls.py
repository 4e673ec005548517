"""Machine addresses only: outside the language prefix, known to providers."""

from django.urls import path

from participation.payments import views

machine_urlpatterns = [
    path("paiement/<slug:provider>/webhook/", views.Webhook.as_view(), name="payment_webhook"),
    path("paiement/retour/<uuid:key>/", views.BrowserReturn.as_view(), name="payment_return"),
]
