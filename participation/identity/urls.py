"""Addresses of signing in and out. Names of the machine addresses end with the provider's own name."""

from django.urls import path

from participation.identity import views
from participation.identity.providers import PRESETS, provider_names

urlpatterns = [
    path("connexion/", views.SignIn.as_view(), name="sign_in"),
    path("connexion/<slug:provider>/", views.Start.as_view(), name="sign_in_start"),
    path("deconnexion/", views.SignOut.as_view(), name="sign_out"),
    path("mes-donnees/", views.MyData.as_view(), name="my_data"),
    path("mes-donnees/export.json", views.MyDataExport.as_view(), name="my_data_export"),
    path("mes-donnees/effacer/", views.EraseMe.as_view(), name="erase_me"),
    path("mes-donnees/reunir/", views.JoinAccounts.as_view(), name="join_accounts"),
]
machine_urlpatterns = [
    pattern
    # The library reverses one name per provider; those without a client answer 404.
    for name in dict.fromkeys([*PRESETS, *provider_names()])
    for pattern in (
        path(
            f"oidc/{name}/callback/",
            views.Callback.as_view(),
            {"provider": name},
            name=f"oidc_callback_{name}",
        ),
        path(f"oidc/{name}/fin/", views.SignedOut.as_view(), {"provider": name}, name=f"oidc_end_{name}"),
    )
]
