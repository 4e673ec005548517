"""Public addresses of results, dossiers, receipts and open data (French paths, under the language prefix)."""

from django.urls import path

from fundmatch.views import public

app_name = "abonde_fundmatch"

urlpatterns = [
    path("resultats/<slug:campaign>/v<int:version>/", public.version, name="version"),
    path("resultats/<slug:campaign>/v<int:version>/dossier.zip", public.dossier, name="dossier"),
    path("resultats/<slug:campaign>/recu/", public.receipt, name="receipt"),
    path("resultats/<slug:campaign>/recu/<slug:code>.json", public.receipt_file, name="receipt_file"),
    path("donnees/", public.data_index, name="data_index"),
    path("donnees/<slug:campaign>/", public.data, name="data"),
    path("donnees/<slug:campaign>/<str:name>", public.data_file, name="data_file"),
]

machine_urlpatterns: list = []
