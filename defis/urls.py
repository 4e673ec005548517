"""Addresses under the language prefix; pages have their own, from Wagtail's tree."""

from django.urls import path

from defis.views import proposals

app_name = "abonde_defis"

urlpatterns = [
    path("proposer/", proposals.propose, name="propose"),
    path("proposer/dossier/<slug:reference>/", proposals.proposal, name="proposal"),
    path("proposer/dossier/<slug:reference>/retirer/", proposals.withdraw, name="withdraw_proposal"),
    path("proposer/dossier/<slug:reference>/pieces/<int:pk>/", proposals.piece, name="proposal_piece"),
    path("proposer/dossier/<slug:reference>/<slug:step>/", proposals.step, name="proposal_step"),
    path("proposer/<slug:campaign>/", proposals.eligibility, name="eligibility"),
    path("proposer/<slug:campaign>/projet/", proposals.begin, name="begin_proposal"),
]
machine_urlpatterns: list[object] = []
