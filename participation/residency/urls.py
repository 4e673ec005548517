from django.urls import path

from participation.residency import views

urlpatterns = [
    path("residence/<slug:territory>/", views.Residence.as_view(), name="residence"),
    path("residence/<slug:territory>/lettre/", views.AskLetter.as_view(), name="residence_letter"),
    path("residence/<slug:territory>/code/", views.GiveCode.as_view(), name="residence_code"),
    path("residence/<slug:territory>/guichet/", views.TakeTicket.as_view(), name="residence_ticket"),
    path("residence/<slug:territory>/liste/", views.LookUp.as_view(), name="residence_list"),
]
