from django.urls import path

from participation.residency import views

urlpatterns = [
    path("residence/<slug:territory>/", views.Residence.as_view(), name="residence"),
]
