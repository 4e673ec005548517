"""The fifteen invariants of the money, each proven by figures from single set-based queries.

One pass over the entries tells what flowed between each pair of accounts; the rest is arithmetic on these flows and
on one aggregate per other table. Everything is read in one snapshot. No holder, no campaign: all of them.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import connection, transaction

from defis.models import Campaign, Organisation
from participation.ledger.chain import broken_links
from participation.ledger.models import LedgerAccount

Kind = LedgerAccount.Kind
TABLES = ("ledgeraccount", "ledgertransaction", "ledgerentry", "ledgerday")


@dataclass(frozen=True)
class Proof:
    """One invariant: what was counted, and whether it holds."""

    number: int
    title: str
    figures: dict[str, int]
    wrong: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        lines = [f"{self.number:2}. {'ok' if self.ok else 'NO'}  {self.title}: {figures}", *self.wrong[:20]]
        return "\n      ".join(lines)


def prove(
    *, holder: Organisation | None = None, campaign: Campaign | None = None, chain: bool = False
) -> Iterator[Proof]:
    """The fifteen proofs in order, each computed when it is asked for, all in one snapshot.

    `chain` also digests every sealed entry again: slow, for the night.
    """
    nested = connection.in_atomic_block
    with transaction.atomic():
        with connection.cursor() as cursor:
            if not nested:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET LOCAL jit = off")
        books = _Books(holder, campaign)
        yield books.balanced()
        yield books.escrow()
        yield books.refunds()
        yield books.failed()
        yield books.funded()
        yield books.decisions()
        yield books.threshold()
        yield books.shares()
        yield books.ceilings()
        yield books.events_once()
        yield books.intents()
        yield books.statements()
        yield books.receipts()
        yield books.totals()
        yield books.append_only(chain)


@dataclass(frozen=True)
class _Account:
    id: int
    holder: int
    code: str
    kind: str
    side: str
    may_overdraw: bool
    campaign: int | None
    project: int | None
    funder: int | None


class _Books:
    """What was read, once, and the arithmetic on it."""

    def __init__(self, holder: Organisation | None, campaign: Campaign | None) -> None:
        self.holder = holder
        self.campaign = campaign
        self.scope = {"holder": holder.pk if holder else None, "campaign": campaign.pk if campaign else None}

    def rows(self, sql: str, **parameters: Any) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(sql, {**self.scope, **parameters})
            return cursor.fetchall()

    @cached_property
    def accounts(self) -> dict[int, _Account]:
        return {
            row[0]: _Account(*row)
            for row in self.rows(
                """SELECT id, holder_id, code, kind, side, may_overdraw, campaign_id, project_id, funder_id
                   FROM abonde_participation_ledgeraccount
                   WHERE %(holder)s::bigint IS NULL OR holder_id = %(holder)s"""
            )
        }

    @cached_property
    def entries(self) -> list[tuple[int, int, int, int]]:
        """(debit, credit, cents, number) of the whole ledger: one pass over the entries."""
        known = self.accounts
        rows = self.rows(
            """SELECT debit_id, credit_id, sum(amount_cents)::bigint, count(*)
               FROM abonde_participation_ledgerentry GROUP BY 1, 2"""
        )
        return [(d, c, cents, number) for d, c, cents, number in rows if d in known or c in known]

    @cached_property
    def flows(self) -> dict[tuple[int, int], int]:
        """(debit, credit) -> cents."""
        return {(d, c): cents for d, c, cents, _number in self.entries}

    @cached_property
    def captures(self) -> tuple[int, int]:
        """Number and cents of what payments brought to the providers' accounts, by the ledger."""
        if self.campaign is not None:
            # Suspense is the holder's, not a campaign's: count event by event.
            [row] = self.rows(
                """SELECT count(*), coalesce(sum(e.amount_cents), 0)::bigint
                   FROM abonde_participation_ledgertransaction t
                   JOIN abonde_participation_ledgerentry e ON e.transaction_id = t.id
                   WHERE t.kind IN ('payment', 'review') AND t.campaign_id = %(campaign)s"""
            )
            return row
        # All that came there, less the few events that are not captures.
        [(number, cents)] = self.rows(
            """WITH rare AS MATERIALIZED (
                 SELECT id FROM abonde_participation_ledgertransaction t
                 WHERE kind NOT IN ('payment', 'fee', 'refund_done') AND kind <> 'review'
                   AND (%(holder)s::bigint IS NULL OR t.holder_id = %(holder)s)
               )
               SELECT count(*), coalesce(sum(e.amount_cents), 0)::bigint FROM rare
               JOIN abonde_participation_ledgerentry e ON e.transaction_id = rare.id
               JOIN abonde_participation_ledgeraccount d ON d.id = e.debit_id AND d.kind = 'clearing'
               JOIN abonde_participation_ledgeraccount c ON c.id = e.credit_id
                AND c.kind IN ('escrow', 'refund_due', 'suspense')"""
        )
        number, cents = -number, -cents
        for debit, credit, flow, entries in self.entries:
            d, c = self.accounts.get(debit), self.accounts.get(credit)
            if (
                d
                and c
                and d.kind == Kind.CLEARING
                and c.kind in {Kind.ESCROW, Kind.REFUND_DUE, Kind.SUSPENSE}
            ):
                number, cents = number + entries, cents + flow
        return number, cents

    @cached_property
    def payments(self) -> tuple[int, int, int, int]:
        """Number and cents captured, number paid with another amount than asked, number waiting for a human."""
        [row] = self.rows(
            """SELECT count(p.captured_cents), coalesce(sum(p.captured_cents), 0)::bigint,
                      count(*) FILTER (WHERE p.state = 'paid' AND p.captured_cents IS DISTINCT FROM p.amount_cents),
                      count(*) FILTER (WHERE p.state = 'review')
               FROM abonde_participation_payment p
               WHERE (%(holder)s::bigint IS NULL AND %(campaign)s::bigint IS NULL) OR EXISTS (
                 SELECT 1 FROM abonde_participation_contribution c
                 JOIN abonde_defis_campaign k ON k.id = c.campaign_id
                 JOIN abonde_defis_fund f ON f.id = k.fund_id
                 WHERE c.id = p.contribution_id
                   AND (%(holder)s::bigint IS NULL OR f.legal_holder_id = %(holder)s)
                   AND (%(campaign)s::bigint IS NULL OR k.id = %(campaign)s))"""
        )
        return row

    @cached_property
    def balances(self) -> dict[int, int]:
        """Account -> cents on its own side."""
        totals: dict[int, int] = defaultdict(int)
        for (debit, credit), cents in self.flows.items():
            totals[debit] += cents
            totals[credit] -= cents
        return {
            pk: totals[pk] if account.side == "debit" else -totals[pk]
            for pk, account in self.accounts.items()
        }

    def in_scope(self, account: _Account) -> bool:
        return self.campaign is None or account.campaign == self.campaign.pk

    def of_kind(self, kind: str) -> list[_Account]:
        return [a for a in self.accounts.values() if a.kind == kind and self.in_scope(a)]

    def flow(self, debit_kind: str, credit_kind: str, project: int | None = None) -> int:
        """Cents from accounts of one kind to accounts of another, of one project if said."""
        total = 0
        for (debit, credit), cents in self.flows.items():
            d, c = self.accounts.get(debit), self.accounts.get(credit)
            if d is None or c is None or d.kind != debit_kind or c.kind != credit_kind:
                continue
            if project is not None and project not in (d.project, c.project):
                continue
            if self.campaign is not None and self.campaign.pk not in (d.campaign, c.campaign):
                continue
            total += cents
        return total

    @cached_property
    def settled(self) -> dict[int, str]:
        """Project -> kind of its one settlement."""
        return dict(
            self.rows(
                """SELECT split_part(t.event_key, ':', 3)::bigint, t.kind
                   FROM abonde_participation_ledgertransaction t
                   WHERE t.event_key LIKE 'settle:project:%%' AND t.event_key NOT LIKE '%%:again:%%'
                     AND (%(holder)s::bigint IS NULL OR t.holder_id = %(holder)s)
                     AND (%(campaign)s::bigint IS NULL OR t.campaign_id = %(campaign)s)"""
            )
        )

    @cached_property
    def counted(self) -> dict[int, tuple[int, int]]:
        """Project -> (cents, number) of counted contributions."""
        return {
            project: (cents, number)
            for project, cents, number in self.rows(
                """SELECT c.project_id, c.cents, c.number FROM (
                     SELECT project_id, sum(amount_cents)::bigint AS cents, count(*) AS number
                     FROM abonde_participation_contribution WHERE state = 'counted' GROUP BY 1) c
                   JOIN abonde_defis_project p ON p.id = c.project_id
                   JOIN abonde_defis_campaign k ON k.id = p.campaign_id
                   JOIN abonde_defis_fund f ON f.id = k.fund_id
                   WHERE (%(holder)s::bigint IS NULL OR f.legal_holder_id = %(holder)s)
                     AND (%(campaign)s::bigint IS NULL OR k.id = %(campaign)s)"""
            )
        }

    @cached_property
    def match(self) -> dict[int, dict[tuple[int, int], int]]:
        """Project -> {(pot, funder): cents} of match posted."""
        given: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        for account in self.of_kind(Kind.MATCH):
            if account.project is not None and self.balances[account.id]:
                pot = int(account.code.split(":")[1])
                given[account.project][pot, account.funder or 0] = self.balances[account.id]
        return given

    # --- 1 to 15 ----------------------------------------------------------------------------------------

    def balanced(self) -> Proof:
        wrong = []
        crossing = 0
        totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for (debit, credit), cents in self.flows.items():
            d, c = self.accounts.get(debit), self.accounts.get(credit)
            if d is None or c is None or d.holder != c.holder:
                crossing += cents
                continue
            totals[d.holder][0] += cents
            totals[c.holder][1] += cents
        if crossing:
            wrong.append(f"{crossing} cents pass from one holder to another")
        for holder, (debits, credits) in totals.items():
            own = [
                (self.accounts[pk].side, b)
                for pk, b in self.balances.items()
                if self.accounts[pk].holder == holder
            ]
            left = sum(b if side == "debit" else -b for side, b in own)
            if debits != credits or left:
                wrong.append(f"holder {holder}: debits {debits}, credits {credits}, balances sum to {left}")
        for account in self.accounts.values():
            if not account.may_overdraw and self.balances[account.id] < 0:
                wrong.append(f"{account.code} is overdrawn: {self.balances[account.id]}")
        figures = {"holders": len(totals), "accounts": len(self.accounts)}
        return Proof(
            1,
            "debits equal credits, nothing is overdrawn",
            {
                **figures,
                "moved": sum(d for d, _ in totals.values()),
                "sum": sum(d - c for d, c in totals.values()),
            },
            wrong,
        )

    def escrow(self) -> Proof:
        held = {a.project: self.balances[a.id] for a in self.of_kind(Kind.ESCROW) if a.project is not None}
        wrong = []
        for project in sorted(held.keys() | self.counted.keys()):
            expected = 0 if project in self.settled else self.counted.get(project, (0, 0))[0]
            if held.get(project, 0) != expected:
                wrong.append(f"project {project}: held {held.get(project, 0)}, counted {expected}")
        return Proof(
            2,
            "what is held for a project is what was given and not given back",
            {
                "projects": len(held),
                "held": sum(held.values()),
            },
            wrong,
        )

    def refunds(self) -> Proof:
        wrong = [
            f"payment {pk}: {returned} of {captured} cents given back, {open_ones} open"
            for pk, returned, captured, open_ones in self.rows(
                """SELECT p.id, r.cents, coalesce(p.captured_cents, p.amount_cents), r.open FROM (
                     SELECT payment_id, sum(amount_cents)::bigint AS cents,
                            count(*) FILTER (WHERE state IN ('created', 'sent', 'in_transit', 'manual')) AS open
                     FROM abonde_participation_refund WHERE state <> 'failed' GROUP BY 1) r
                   JOIN abonde_participation_payment p ON p.id = r.payment_id
                   WHERE r.cents > coalesce(p.captured_cents, p.amount_cents) OR r.open > 1"""
            )
        ]
        [(number, owed, done)] = self.rows(
            """SELECT count(*), coalesce(sum(r.amount_cents) FILTER (WHERE r.state <> 'done'), 0)::bigint,
                      coalesce(sum(r.amount_cents) FILTER (WHERE r.state = 'done'), 0)::bigint
               FROM abonde_participation_refund r
               JOIN abonde_participation_payment p ON p.id = r.payment_id
               JOIN abonde_participation_contribution c ON c.id = p.contribution_id
               JOIN abonde_defis_campaign k ON k.id = c.campaign_id
               JOIN abonde_defis_fund f ON f.id = k.fund_id
               WHERE r.state <> 'failed' AND (%(holder)s::bigint IS NULL OR f.legal_holder_id = %(holder)s)
                 AND (%(campaign)s::bigint IS NULL OR k.id = %(campaign)s)"""
        )
        due = sum(self.balances[a.id] for a in self.of_kind(Kind.REFUND_DUE))
        if due != owed:
            wrong.append(f"{due} cents owed to contributors, {owed} cents of refunds not done")
        return Proof(
            3,
            "no payment gives back more than it took, one open refund at most",
            {
                "refunds": number,
                "done": done,
                "owed": owed,
            },
            wrong,
        )

    def failed(self) -> Proof:
        projects = [p for p, kind in self.settled.items() if kind == "settle_failed"]
        wrong = [
            f"project {project}: contribution {reference} still counts, payment {state}"
            for project, reference, state in self.rows(
                """SELECT c.project_id, c.reference, p.state FROM abonde_participation_contribution c
                   JOIN abonde_participation_payment p ON p.contribution_id = c.id
                   WHERE c.project_id = ANY (%(projects)s) AND (c.state = 'counted' OR p.state = 'paid')""",
                projects=projects,
            )
        ]
        wrong += [
            f"project {p}: {sum(self.match[p].values())} cents of match"
            for p in projects
            if self.match.get(p)
        ]
        return Proof(4, "a failed project keeps nothing", {"projects": len(projects)}, wrong)

    def funded(self) -> Proof:
        projects = [p for p, kind in self.settled.items() if kind == "settle_funded"]
        fee_bps = dict(
            self.rows(
                """SELECT p.id, k.fee_bps FROM abonde_defis_project p
                   JOIN abonde_defis_campaign k ON k.id = p.campaign_id WHERE p.id = ANY (%(projects)s)""",
                projects=projects,
            )
        )
        kinds: dict[tuple[int, str, bool], int] = defaultdict(int)
        for (debit, credit), cents in self.flows.items():
            d, c = self.accounts.get(debit), self.accounts.get(credit)
            if d is not None and c is not None and d.project and d.kind == Kind.PAYABLE:
                kinds[d.project, c.kind, False] += cents
            if d is not None and c is not None and c.project and c.kind == Kind.PAYABLE:
                kinds[c.project, d.kind, True] += cents
        payable = {a.project for a in self.of_kind(Kind.PAYABLE) if a.project is not None}
        wrong = [f"project {p} is owed money without a decision" for p in sorted(payable - set(projects))]
        total = 0
        for project in projects:
            given = kinds[project, Kind.ESCROW, True]
            called = kinds[project, Kind.RECEIVABLE, True] - kinds[project, Kind.RECEIVABLE, False]
            fee = kinds[project, Kind.FEE_INCOME, False] - kinds[project, Kind.FEE_INCOME, True]
            match = sum(self.match.get(project, {}).values())
            total += given + called - fee
            counted = self.counted.get(project, (0, 0))[0]
            if given != counted or called != match or fee != (given + called) * fee_bps[project] // 10_000:
                wrong.append(
                    f"project {project}: contributions {given} (counted {counted}), match {called} "
                    f"(given {match}), fee {fee}"
                )
        return Proof(
            5,
            "a funded project is owed contributions and match, less the agreed fee",
            {
                "projects": len(projects),
                "owed": total,
            },
            wrong,
        )

    def decisions(self) -> Proof:
        wrong = [
            f"project {project}: decided {outcome}, settled as {self.settled.get(project)}"
            for project, outcome in self.rows(
                """SELECT d.project_id, d.outcome FROM abonde_defis_decision d
                   JOIN abonde_defis_project p ON p.id = d.project_id
                   WHERE d.kind = 'outcome' AND p.id = ANY (%(projects)s)""",
                projects=list(self.settled),
            )
            if (outcome == "yes") != (self.settled[project] == "settle_funded")
        ]
        wrong += [
            f"campaign {pk} was settled without frozen rules"
            for (pk,) in self.rows(
                """SELECT DISTINCT k.id FROM abonde_defis_project p JOIN abonde_defis_campaign k ON k.id = p.campaign_id
                   WHERE p.id = ANY (%(projects)s) AND (k.rules_frozen_at IS NULL OR k.rules_sha256 = '')""",
                projects=list(self.settled),
            )
        ]
        return Proof(6, "one decision per project, on frozen rules", {"decided": len(self.settled)}, wrong)

    def threshold(self) -> Proof:
        wrong = []
        measured = 0
        for project, goal, numerator, denominator, base in self.rows(
            """SELECT p.id, p.goal_cents, k.threshold_numerator, k.threshold_denominator, k.threshold_base
               FROM abonde_defis_project p JOIN abonde_defis_campaign k ON k.id = p.campaign_id
               WHERE p.id = ANY (%(projects)s) AND k.threshold_numerator IS NOT NULL""",
            projects=[p for p, kind in self.settled.items() if kind == "settle_funded"],
        ):
            measured += 1
            raised = self.counted.get(project, (0, 0))[0]
            if base == "total":
                raised += sum(self.match.get(project, {}).values())
            if denominator * raised < numerator * goal:
                wrong.append(f"project {project}: {raised} cents of {goal}, below {numerator}/{denominator}")
        return Proof(7, "funded projects reach their threshold, in integers", {"projects": measured}, wrong)

    def shares(self) -> Proof:
        """Per pot and funder of a settled campaign: given to projects equals what is left of the pledge."""
        given: dict[tuple[int, int], int] = defaultdict(int)
        negative = []
        for project, shares in self.match.items():
            for key, cents in shares.items():
                given[key] += cents
                if cents < 0:
                    negative.append(f"project {project}: share {cents}")
        campaigns = {a.campaign for a in self.of_kind(Kind.ESCROW) if a.project in self.settled}
        wrong = negative
        spent = 0
        for account in self.of_kind(Kind.PLEDGE):
            if account.campaign not in campaigns:
                continue
            key = (int(account.code.split(":")[1]), account.funder or 0)
            pool = self._pool(key)
            spent += given[key]
            if self.balances[account.id] != given[key] + pool:
                wrong.append(
                    f"{account.code}: {self.balances[account.id]} promised, {given[key]} given, {pool} left"
                )
        return Proof(8, "shares add up to what each pot spends", {"pots": len(given), "spent": spent}, wrong)

    def ceilings(self) -> Proof:
        wrong = []
        promised = 0
        for pot, funder, cents in self.rows(
            """SELECT g.pot_id, g.funder_id, g.amount_cents FROM abonde_defis_pledge g
               JOIN abonde_defis_pot t ON t.id = g.pot_id
               JOIN abonde_defis_campaign k ON k.id = t.campaign_id
               JOIN abonde_defis_fund f ON f.id = k.fund_id
               WHERE (%(holder)s::bigint IS NULL OR f.legal_holder_id = %(holder)s)
                 AND (%(campaign)s::bigint IS NULL OR k.id = %(campaign)s)"""
        ):
            promised += cents
            given = sum(shares.get((pot, funder), 0) for shares in self.match.values())
            if given > cents:
                wrong.append(f"pot {pot}, funder {funder}: {given} cents given, {cents} promised")
        total = sum(sum(shares.values()) for shares in self.match.values())
        return Proof(
            9, "no funder gives more than it promised", {"promised": promised, "given": total}, wrong
        )

    def events_once(self) -> Proof:
        payments, captured, _other, _waiting = self.payments
        posted, cents = self.captures
        [(returned,)] = self.rows(
            """SELECT coalesce(sum(e.amount_cents * CASE t.kind WHEN 'refund_returned' THEN -1 ELSE 1 END), 0)::bigint
               FROM abonde_participation_ledgertransaction t
               JOIN abonde_participation_ledgerentry e ON e.transaction_id = t.id
               WHERE t.refund_id IS NOT NULL AND t.kind <> 'refund_ordered'
                 AND (%(holder)s::bigint IS NULL OR t.holder_id = %(holder)s)
                 AND (%(campaign)s::bigint IS NULL OR t.campaign_id = %(campaign)s)"""
        )
        wrong = []
        if (payments, captured) != (posted, cents):
            wrong.append(f"{payments} captured payments of {captured} cents, {posted} posted of {cents}")
        done = self._refunds_done()
        if done != returned:
            wrong.append(f"{done} cents of refunds done, {returned} posted")
        figures = {"payments": payments, "captured": captured, "returned": done}
        return Proof(10, "each event is posted once", figures, wrong)

    def intents(self) -> Proof:
        _number, _captured, other, waiting = self.payments
        wrong = []
        if other:
            wrong = [
                f"payment {key}: {captured} cents captured instead of {asked}"
                for key, captured, asked in self.rows(
                    """SELECT key, captured_cents, amount_cents FROM abonde_participation_payment
                       WHERE state = 'paid' AND captured_cents IS DISTINCT FROM amount_cents LIMIT 20"""
                )
            ]
        title = "what counts is what was asked for; the rest waits for a human"
        return Proof(11, title, {"waiting": waiting}, wrong)

    def statements(self) -> Proof:
        [(lines, waiting, cents)] = self.rows(
            """SELECT count(*), count(*) FILTER (WHERE state IN ('different', 'surplus')),
                      coalesce(sum(suspense_cents) FILTER (WHERE state IN ('different', 'surplus')), 0)::bigint
               FROM abonde_participation_statementline WHERE %(holder)s::bigint IS NULL OR holder_id = %(holder)s"""
        )
        wrong = [
            f"line {line} is {state} and {held} cents are in suspense for it, {posted} posted"
            for line, state, held, posted in self.rows(
                """SELECT s.line_id, s.state, s.suspense_cents, coalesce(sum(
                            CASE d.kind WHEN 'suspense' THEN -e.amount_cents ELSE e.amount_cents END), 0)::bigint
                   FROM abonde_participation_statementline s
                   LEFT JOIN abonde_participation_ledgertransaction t
                     ON t.event_key = 'statement:' || s.provider || ':' || s.line_id
                   LEFT JOIN abonde_participation_ledgerentry e ON e.transaction_id = t.id
                     AND (e.debit_id IN (SELECT id FROM abonde_participation_ledgeraccount WHERE kind = 'suspense')
                       OR e.credit_id IN (SELECT id FROM abonde_participation_ledgeraccount WHERE kind = 'suspense'))
                   LEFT JOIN abonde_participation_ledgeraccount d ON d.id = e.debit_id
                   WHERE s.suspense_cents <> 0 AND (%(holder)s::bigint IS NULL OR s.holder_id = %(holder)s)
                   GROUP BY s.id HAVING s.suspense_cents <> coalesce(sum(
                            CASE d.kind WHEN 'suspense' THEN -e.amount_cents ELSE e.amount_cents END), 0)"""
            )
        ]
        return Proof(
            12,
            "every line of a provider is matched, or in suspense",
            {
                "lines": lines,
                "open": waiting,
                "suspense": cents,
            },
            wrong,
        )

    def receipts(self) -> Proof:
        wrong = [
            f"issuer {issuer}, {year}: {number} receipts, last number {last}"
            for issuer, year, number, last in self.rows(
                """SELECT issuer_id, year, count(*), max(number) FROM abonde_participation_fiscalreceipt
                   GROUP BY 1, 2 HAVING count(*) <> max(number) OR min(number) <> 1"""
            )
        ]
        wrong += [
            f"receipt {year}-{number} is valid, its payment is {state}"
            for year, number, state in self.rows(
                """SELECT r.year, r.number, p.state FROM abonde_participation_fiscalreceipt r
                   JOIN abonde_participation_payment p ON p.id = r.payment_id
                   LEFT JOIN abonde_participation_receiptcancellation x ON x.receipt_id = r.id
                   WHERE x.id IS NULL AND p.state <> 'paid'"""
            )
        ]
        [(issued, cancelled)] = self.rows(
            """SELECT (SELECT count(*) FROM abonde_participation_fiscalreceipt),
                      (SELECT count(*) FROM abonde_participation_receiptcancellation)"""
        )
        return Proof(
            13,
            "receipts are numbered without gaps, for acquired money only",
            {
                "issued": issued,
                "cancelled": cancelled,
            },
            wrong,
        )

    def totals(self) -> Proof:
        ids = [row[0] for row in self.rows("SELECT project_id FROM abonde_participation_projectstatistics")]
        if self.campaign is not None or self.holder is not None:
            ids = [pk for pk in ids if pk in self.counted]
        wrong = [
            f"project {project}: shown {cents}, counted {self.counted.get(project, (0, 0))[0]}"
            for project, cents in self.rows(
                "SELECT project_id, citizens_cents FROM abonde_project_figures(%(ids)s)", ids=ids
            )
            if cents != self.counted.get(project, (0, 0))[0]
        ]
        return Proof(
            14,
            "totals shown are totals counted",
            {
                "projects": len(ids),
                "shown": sum(self.counted.get(pk, (0, 0))[0] for pk in ids),
            },
            wrong,
        )

    def append_only(self, chain: bool) -> Proof:
        guarded = {
            table
            for (table,) in self.rows(
                """SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                   WHERE t.tgname = 'abonde_append_only' AND t.tgenabled IN ('O', 'A')"""
            )
        }
        wrong = [
            f"{table} can be rewritten: its trigger is gone or off"
            for table in (f"abonde_participation_{name}" for name in TABLES)
            if table not in guarded
        ]
        [(checks,)] = self.rows(
            "SELECT count(*) FROM pg_trigger WHERE tgname = 'abonde_ledger_entries' AND tgenabled IN ('O', 'A')"
        )
        if not checks:
            wrong.append("entries are written unchecked: their trigger is gone or off")
        wrong += broken_links(self.holder, recompute=chain)
        [(days,)] = self.rows("SELECT count(*) FROM abonde_participation_ledgerday")
        return Proof(15, "no row is ever rewritten", {"tables": len(guarded), "sealed": days}, wrong)

    # --- Inside -----------------------------------------------------------------------------------------

    def _pool(self, key: tuple[int, int]) -> int:
        code = f"match:{key[0]}:{key[1]}"
        return sum(self.balances[a.id] for a in self.of_kind(Kind.MATCH) if a.code == code)

    def _refunds_done(self) -> int:
        [(cents,)] = self.rows(
            """SELECT coalesce(sum(r.amount_cents), 0)::bigint FROM abonde_participation_refund r
               JOIN abonde_participation_payment p ON p.id = r.payment_id
               JOIN abonde_participation_contribution c ON c.id = p.contribution_id
               JOIN abonde_defis_campaign k ON k.id = c.campaign_id
               JOIN abonde_defis_fund f ON f.id = k.fund_id
               WHERE r.state = 'done' AND (%(holder)s::bigint IS NULL OR f.legal_holder_id = %(holder)s)
                 AND (%(campaign)s::bigint IS NULL OR k.id = %(campaign)s)"""
        )
        return cents
