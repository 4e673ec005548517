"""Where the givers live, by declared commune: frozen at publication, small cells together."""

from defis.models import Campaign
from fundmatch.dossiers import FEW_DONORS
from participation.contributions.models import Contribution


def by_commune(campaign: Campaign) -> dict[str, list[int]]:
    """Return {INSEE code: [givers, cents]}; communes of fewer than five givers are together under "".

    When what is together is itself fewer than five, the smallest commune shown joins it: no subtraction from
    the total gives a small cell back. Counts gifts that are counted now; call it before refunds are ordered.
    """
    rows = Contribution.objects.filter(
        campaign=campaign,
        state=Contribution.State.COUNTED,
        person__residency_proofs__territory=campaign.fund.territory_id,
        person__residency_proofs__result="accepted",
        person__residency_proofs__commune__isnull=False,
    ).values_list("voter_id", "person__residency_proofs__commune__insee", "amount_cents")
    people: dict[str, set[int]] = {}
    cents: dict[str, int] = {}
    for voter, insee, amount in rows.iterator():
        people.setdefault(insee, set()).add(voter)
        cents[insee] = cents.get(insee, 0) + amount
    shown = {
        insee: [len(voters), cents[insee]] for insee, voters in people.items() if len(voters) >= FEW_DONORS
    }
    rest = [insee for insee in people if insee not in shown]
    if not rest:
        return dict(sorted(shown.items()))
    together = [sum(len(people[insee]) for insee in rest), sum(cents[insee] for insee in rest)]
    while together[0] < FEW_DONORS and shown:
        smallest = min(shown, key=lambda insee: (shown[insee][0], insee))
        count, amount = shown.pop(smallest)
        together = [together[0] + count, together[1] + amount]
    if together[0] >= FEW_DONORS:
        shown[""] = together
    return dict(sorted(shown.items()))
