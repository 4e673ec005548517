"""Addresses about people and their money, room by room. `machine_urlpatterns` stay outside the language prefix."""

from participation.contributions import urls as contributions
from participation.identity import urls as identity
from participation.payments import urls as payments
from participation.residency import urls as residency

app_name = "abonde_participation"
urlpatterns = [
    *identity.urlpatterns,
    *residency.urlpatterns,
    *contributions.urlpatterns,
]
machine_urlpatterns = [
    *identity.machine_urlpatterns,
    *payments.machine_urlpatterns,
]
