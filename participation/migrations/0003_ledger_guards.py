"""What the ledger refuses, written where no program of ours can forget it.

- Rows of the ledger are appended, never changed or removed.
- Both accounts of an entry belong to the holder of its transaction, and the entry to the same database
  transaction as its ledger transaction: nothing is added to the past.
- An account that may not be overdrawn never is: whoever reduces it takes its lock first, then sums.
  Increases take no lock, so that contributions to one project never wait for each other.
- An endowment fund (fonds de dotation) calls no money from a local authority.

`xid` is the writing transaction. Everything below the oldest running transaction is final, so a checkpoint
plus the rows at or above its horizon is exact at every instant. A checkpoint belongs to one cluster: after a
restore elsewhere its identifier differs and the checkpoint is ignored until it is made again.
"""

import django.db.models.deletion
from django.db import migrations, models

TABLES = [
    "abonde_participation_ledgeraccount",
    "abonde_participation_ledgertransaction",
    "abonde_participation_ledgerentry",
    "abonde_participation_ledgerday",
]

APPEND_ONLY = """
CREATE FUNCTION abonde_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation', HINT = 'Correct by a new entry with a reason.';
END $$;
""" + "\n".join(
    f"CREATE TRIGGER abonde_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION abonde_append_only();"
    for table in TABLES
)
APPEND_ONLY_REVERSE = (
    "\n".join(f"DROP TRIGGER abonde_append_only ON {table};" for table in TABLES)
    + "\nDROP FUNCTION abonde_append_only();"
)

XID = """
ALTER TABLE abonde_participation_ledgertransaction ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
ALTER TABLE abonde_participation_ledgerentry ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX abonde_entry_debits ON abonde_participation_ledgerentry (debit_id, xid) INCLUDE (amount_cents);
CREATE INDEX abonde_entry_credits ON abonde_participation_ledgerentry (credit_id, xid) INCLUDE (amount_cents);
-- The nightly proof looks at what is not a plain capture, fee or refund.
CREATE INDEX abonde_transaction_rare ON abonde_participation_ledgertransaction (kind)
  WHERE kind NOT IN ('payment', 'fee', 'refund_done');
CREATE TABLE abonde_participation_ledgercheckpoint (
  account_id bigint PRIMARY KEY REFERENCES abonde_participation_ledgeraccount,
  cluster bigint NOT NULL,
  horizon xid8 NOT NULL,
  balance bigint NOT NULL
);
"""
XID_REVERSE = """
DROP TABLE abonde_participation_ledgercheckpoint;
DROP INDEX abonde_transaction_rare;
DROP INDEX abonde_entry_credits;
DROP INDEX abonde_entry_debits;
ALTER TABLE abonde_participation_ledgerentry DROP COLUMN xid;
ALTER TABLE abonde_participation_ledgertransaction DROP COLUMN xid;
"""

BALANCE = """
CREATE FUNCTION abonde_cluster() RETURNS bigint LANGUAGE sql STABLE
  AS $$ SELECT system_identifier FROM pg_control_system() $$;

-- Balance on the account's own side: positive is normal. Exact in the snapshot of the calling statement.
CREATE FUNCTION abonde_ledger_balance(account bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  WITH base AS (
    SELECT a.side, coalesce(c.balance, 0) AS balance, coalesce(c.horizon, '0'::xid8) AS horizon
    FROM abonde_participation_ledgeraccount a
    LEFT JOIN abonde_participation_ledgercheckpoint c ON c.account_id = a.id AND c.cluster = abonde_cluster()
    WHERE a.id = account
  )
  SELECT (base.balance + CASE base.side WHEN 'credit' THEN 1 ELSE -1 END * (
    coalesce((SELECT sum(amount_cents) FROM abonde_participation_ledgerentry
              WHERE credit_id = account AND xid >= base.horizon), 0)
    - coalesce((SELECT sum(amount_cents) FROM abonde_participation_ledgerentry
                WHERE debit_id = account AND xid >= base.horizon), 0)))::bigint
  FROM base
$$;

-- Called by who holds the account's lock: moves the checkpoint when the tail has grown.
CREATE FUNCTION abonde_ledger_checkpoint(account bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  known xid8;
  tail bigint;
BEGIN
  SELECT horizon INTO known FROM abonde_participation_ledgercheckpoint
    WHERE account_id = account AND cluster = abonde_cluster();
  known := coalesce(known, '0'::xid8);
  SELECT (SELECT count(*) FROM (SELECT 1 FROM abonde_participation_ledgerentry
            WHERE credit_id = account AND xid >= known LIMIT 500) c)
       + (SELECT count(*) FROM (SELECT 1 FROM abonde_participation_ledgerentry
            WHERE debit_id = account AND xid >= known LIMIT 500) d) INTO tail;
  IF tail < 500 THEN
    RETURN;
  END IF;
  INSERT INTO abonde_participation_ledgercheckpoint AS mine (account_id, cluster, horizon, balance)
  SELECT account, abonde_cluster(), now.horizon,
         abonde_ledger_balance(account) - CASE a.side WHEN 'credit' THEN 1 ELSE -1 END * (
           coalesce((SELECT sum(amount_cents) FROM abonde_participation_ledgerentry
                     WHERE credit_id = account AND xid >= now.horizon), 0)
           - coalesce((SELECT sum(amount_cents) FROM abonde_participation_ledgerentry
                       WHERE debit_id = account AND xid >= now.horizon), 0))
  FROM abonde_participation_ledgeraccount a,
       (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon) now
  WHERE a.id = account
  ON CONFLICT (account_id) DO UPDATE
    SET cluster = excluded.cluster, horizon = excluded.horizon, balance = excluded.balance;
END $$;
"""
BALANCE_REVERSE = """
DROP FUNCTION abonde_ledger_checkpoint(bigint);
DROP FUNCTION abonde_ledger_balance(bigint);
DROP FUNCTION abonde_cluster();
"""

ENTRIES = """
-- Apart, so that a test can take it out and see the overdraft that it prevents.
CREATE FUNCTION abonde_ledger_lock(account bigint) RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock((2::bigint << 56) | account)
$$;

CREATE FUNCTION abonde_ledger_entries() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
DECLARE
  wrong text;
  reduced record;
BEGIN
  SELECT t.event_key INTO wrong
  FROM new_entries n
  JOIN abonde_participation_ledgertransaction t ON t.id = n.transaction_id
  JOIN abonde_participation_ledgeraccount d ON d.id = n.debit_id
  JOIN abonde_participation_ledgeraccount c ON c.id = n.credit_id
  WHERE d.holder_id <> t.holder_id OR c.holder_id <> t.holder_id LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger transaction % crosses two holders', wrong
      USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_entry_one_holder';
  END IF;
  SELECT t.event_key INTO wrong
  FROM new_entries n
  JOIN abonde_participation_ledgertransaction t ON t.id = n.transaction_id
  WHERE n.xid <> pg_current_xact_id() OR t.xid <> pg_current_xact_id() LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger transaction % is closed', wrong
      USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_entry_not_in_the_past';
  END IF;
  FOR reduced IN
    SELECT a.id, a.code FROM abonde_participation_ledgeraccount a
    JOIN (SELECT debit_id AS id, 'credit' AS side FROM new_entries
          UNION SELECT credit_id, 'debit' FROM new_entries) n ON n.id = a.id AND n.side = a.side
    WHERE NOT a.may_overdraw ORDER BY a.id
  LOOP
    IF current_setting('transaction_isolation') <> 'read committed' THEN
      RAISE EXCEPTION 'account % can only be reduced in READ COMMITTED', reduced.code
        USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_account_not_overdrawn';
    END IF;
    PERFORM abonde_ledger_lock(reduced.id);
    IF abonde_ledger_balance(reduced.id) < 0 THEN
      RAISE EXCEPTION 'account % would be overdrawn by % cents', reduced.code, -abonde_ledger_balance(reduced.id)
        USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_account_not_overdrawn';
    END IF;
    PERFORM abonde_ledger_checkpoint(reduced.id);
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER abonde_ledger_entries AFTER INSERT ON abonde_participation_ledgerentry
  REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT EXECUTE FUNCTION abonde_ledger_entries();

CREATE FUNCTION abonde_ledger_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.kind = 'receivable' AND NEW.funder_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM abonde_defis_organisation h, abonde_defis_organisation f
    WHERE h.id = NEW.holder_id AND h.kind = 'endowment' AND f.id = NEW.funder_id AND f.kind = 'authority'
  ) THEN
    RAISE EXCEPTION 'an endowment fund cannot receive money of a local authority'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_endowment_no_public_money';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER abonde_ledger_account BEFORE INSERT ON abonde_participation_ledgeraccount
  FOR EACH ROW EXECUTE FUNCTION abonde_ledger_account();

-- The legal kind of who holds or owes money does not change under its accounts.
CREATE FUNCTION abonde_organisation_kind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM abonde_participation_ledgeraccount
             WHERE holder_id = NEW.id OR funder_id = NEW.id) THEN
    RAISE EXCEPTION 'organisation % has ledger accounts: its legal kind is settled', NEW.name
      USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_organisation_kind_settled';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER abonde_organisation_kind BEFORE UPDATE OF kind ON abonde_defis_organisation
  FOR EACH ROW WHEN (OLD.kind IS DISTINCT FROM NEW.kind) EXECUTE FUNCTION abonde_organisation_kind();
"""
ENTRIES_REVERSE = """
DROP TRIGGER abonde_organisation_kind ON abonde_defis_organisation;
DROP FUNCTION abonde_organisation_kind();
DROP TRIGGER abonde_ledger_account ON abonde_participation_ledgeraccount;
DROP FUNCTION abonde_ledger_account();
DROP TRIGGER abonde_ledger_entries ON abonde_participation_ledgerentry;
DROP FUNCTION abonde_ledger_entries();
DROP FUNCTION abonde_ledger_lock(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("abonde_participation", "0002_identity_and_residency_methods"), ("abonde_defis", "0001_initial")]

    operations = [
        migrations.AlterField(
            "ledgerentry",
            "debit",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="debits",
                to="abonde_participation.ledgeraccount",
            ),
        ),
        migrations.AlterField(
            "ledgerentry",
            "credit",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credits",
                to="abonde_participation.ledgeraccount",
            ),
        ),
        migrations.RunSQL(XID, XID_REVERSE),
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_REVERSE),
        migrations.RunSQL(BALANCE, BALANCE_REVERSE),
        migrations.RunSQL(ENTRIES, ENTRIES_REVERSE),
    ]
