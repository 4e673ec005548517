"""Addresses of the money screens, under /admin/abonde/argent/."""

from django.urls import path

from participation.admin import acts, books, overview, payouts, slips

app_name = "abonde_money"
urlpatterns = [
    path("", overview.IndexView.as_view(), name="index"),
    path("campagnes/<slug:campaign>/", overview.CampaignView.as_view(), name="campaign"),
    path("campagnes/<slug:campaign>/remboursements/", overview.RefundsView.as_view(), name="refunds"),
    path("campagnes/<slug:campaign>/versements/", payouts.PayoutsView.as_view(), name="payouts"),
    path("campagnes/<slug:campaign>/appels/", payouts.CallsView.as_view(), name="calls"),
    path("promesses/", payouts.PledgesView.as_view(), name="pledges"),
    path("a-verifier/", acts.ReviewListView.as_view(), name="review"),
    path("a-verifier/<int:payment>/", acts.ReviewView.as_view(), name="review_payment"),
    path("paiements/<int:payment>/rembourser/", acts.RefundOrderView.as_view(), name="refund_order"),
    path("remboursements/<int:refund>/a-la-main/", acts.ByHandView.as_view(), name="by_hand"),
    path("remboursements/<int:refund>/reessayer/", acts.TryAgainView.as_view(), name="try_again"),
    path("guichet/", slips.JournalView.as_view(), name="journal"),
    path("guichet/<slug:campaign>/", slips.SlipsView.as_view(), name="slips"),
    path("guichet/<slug:campaign>/saisir/", slips.NewSlipView.as_view(), name="slip_new"),
    path("guichet/<slug:campaign>/<int:slip>/", slips.SlipView.as_view(), name="slip"),
    path("guichet/<slug:campaign>/<int:slip>/recus/", slips.SlipReceiptsView.as_view(), name="slip_receipts"),
    path("grand-livre/", books.LedgerView.as_view(), name="ledger"),
    path("grand-livre/<int:holder>/preuve/", books.ProofView.as_view(), name="proof"),
    path("rapprochements/", books.ReconciliationIndexView.as_view(), name="reconciliations"),
    path("rapprochements/<int:holder>/", books.ReconciliationView.as_view(), name="reconciliation"),
    path(
        "rapprochements/<int:holder>/<int:run>/",
        books.ReconciliationRunView.as_view(),
        name="reconciliation_run",
    ),
    path("rapprochements/<int:holder>/lignes/<int:line>/", books.LineView.as_view(), name="line"),
]
