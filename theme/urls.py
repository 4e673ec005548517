"""Addresses of the public look. `machine_urlpatterns` stay outside the language prefix."""

from django.urls import path

from theme import views

app_name = "abonde_theme"
urlpatterns = [
    path("plan-du-site/", views.site_map, name="site_map"),
    path("session/prolonger/", views.prolong_session, name="prolong_session"),
    path("_pb/etats/", views.gallery, name="gallery"),
    path("_pb/etats/<slug:code>/", views.gallery_state, name="gallery_state"),
]
machine_urlpatterns = [
    path("theme-<slug:digest>.css", views.stylesheet, name="stylesheet"),
]
