"""Addresses of the contribution path and of what follows it."""

from django.urls import path

from participation.contributions.views import following
from participation.contributions.views import path as steps

urlpatterns = [
    path("contribuer/<slug:project>/", steps.Amount.as_view(), name="contribute"),
    path("contribuer/<slug:project>/connexion/", steps.SignInStep.as_view(), name="contribute_sign_in"),
    path("contribuer/<slug:project>/residence/", steps.ResidenceStep.as_view(), name="contribute_residence"),
    path("contribuer/<slug:project>/verifier/", steps.Check.as_view(), name="contribute_check"),
    path("contribuer/<slug:project>/payer/", steps.Pay.as_view(), name="contribute_pay"),
    path("contributions/<slug:reference>/", following.Status.as_view(), name="contribution"),
    path("contributions/<slug:reference>/etat/", following.State.as_view(), name="contribution_state"),
    path(
        "contributions/<slug:reference>/actualiser/", following.Refresh.as_view(), name="contribution_refresh"
    ),
    path("contributions/<slug:reference>/arreter/", following.Abandon.as_view(), name="contribution_abandon"),
    path("contributions/<slug:reference>/recu/", following.Receipt.as_view(), name="receipt"),
    path("contributions/<slug:reference>/recu.pdf", following.ReceiptPdf.as_view(), name="receipt_pdf"),
    path("mes-contributions/", following.MyContributions.as_view(), name="my_contributions"),
]
