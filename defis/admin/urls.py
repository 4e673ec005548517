from django.urls import path

from defis.admin import campaigns, jury

app_name = "abonde_defis_admin"
urlpatterns = [
    path("campagnes/<int:pk>/", campaigns.desk, name="campaign_desk"),
    path("campagnes/<int:pk>/annoncer/", campaigns.announce, name="campaign_announce"),
    path("campagnes/<int:pk>/publier-selection/", campaigns.publish, name="campaign_publish_selection"),
    path("campagnes/<int:pk>/argent/", campaigns.money, name="campaign_money"),
    path("regles/<int:pk>/", campaigns.rule_change, name="rule_change"),
    path("projets/<int:pk>/annuler/", campaigns.cancel, name="project_cancel"),
    path("jury/", jury.to_evaluate, name="jury"),
    path("jury/<int:pk>/", jury.sheet, name="jury_sheet"),
    path("jury/classement/<int:pk>/", jury.ranked, name="jury_ranked"),
]
