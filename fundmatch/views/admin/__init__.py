"""« Ce qui sera publié »: what editors, finance, auditors see of a calculation. Others' funds answer 404."""

from django.urls import path

from fundmatch.views.admin import campaigns, publication, runs

urlpatterns = [
    path("", campaigns.IndexView.as_view(), name="index"),
    path("<slug:campaign>/", campaigns.CampaignView.as_view(), name="campaign"),
    path("<slug:campaign>/calculer/", campaigns.CalculateView.as_view(), name="calculate"),
    path("<slug:campaign>/remboursements/", publication.RefundsView.as_view(), name="refunds"),
    path("<slug:campaign>/<str:kind>/<int:number>/", runs.RunView.as_view(), name="run"),
    path(
        "<slug:campaign>/<str:kind>/<int:number>/explications/",
        runs.ExplanationsView.as_view(),
        name="explanations",
    ),
    path("<slug:campaign>/<str:kind>/<int:number>/analyse/", runs.AnalysisView.as_view(), name="analysis"),
    path(
        "<slug:campaign>/<str:kind>/<int:number>/corriger/<slug:project>/<slug:pot>/",
        runs.CorrectView.as_view(),
        name="correct",
    ),
    path(
        "<slug:campaign>/<str:kind>/<int:number>/apercu/", publication.PreviewView.as_view(), name="preview"
    ),
    path("<slug:campaign>/<str:kind>/<int:number>/courriels/", publication.MailsView.as_view(), name="mails"),
    path("<slug:campaign>/<str:kind>/<int:number>/signer/", publication.SignView.as_view(), name="sign"),
    path(
        "<slug:campaign>/<str:kind>/<int:number>/publier/", publication.PublishView.as_view(), name="publish"
    ),
]
