"""Contributions, payments and refunds: what was given is never rewritten, states only go forward.

- A contribution keeps its amount, project, campaign and giver; `counted` leads only to `refunded`.
  Columns `counted_xid` and `ended_xid` (known to the database only) say which transaction made it count
  and which made it stop: the worker's roll-up plus the rows above its horizon is exact at every instant.
- A payment keeps its amount and key, and never goes back to unpaid: a replayed message changes nothing.
- The refunds of a payment never exceed what was captured, whatever the program.
- None of them is ever deleted: an erasure empties names elsewhere.
"""

from django.db import migrations, models

NEVER_DELETED = ["contribution", "payment", "refund"]

DELETE = """
CREATE FUNCTION abonde_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is never deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
""" + "\n".join(
    f"CREATE TRIGGER abonde_never_deleted BEFORE DELETE OR TRUNCATE ON abonde_participation_{table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION abonde_never_deleted();"
    for table in NEVER_DELETED
)
DELETE_REVERSE = (
    "\n".join(
        f"DROP TRIGGER abonde_never_deleted ON abonde_participation_{table};" for table in NEVER_DELETED
    )
    + "\nDROP FUNCTION abonde_never_deleted();"
)

CONTRIBUTION = """
ALTER TABLE abonde_participation_contribution ADD COLUMN counted_xid xid8, ADD COLUMN ended_xid xid8;
CREATE INDEX abonde_contribution_counted_xid ON abonde_participation_contribution (counted_xid)
  INCLUDE (project_id) WHERE counted_xid IS NOT NULL;
CREATE INDEX abonde_contribution_ended_xid ON abonde_participation_contribution (ended_xid)
  INCLUDE (project_id) WHERE ended_xid IS NOT NULL;

CREATE FUNCTION abonde_contribution_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.amount_cents, NEW.project_id, NEW.campaign_id) IS DISTINCT FROM
       (OLD.amount_cents, OLD.project_id, OLD.campaign_id)
       OR (OLD.counted_xid IS NOT NULL AND (NEW.voter_id, NEW.offline_donor_id, NEW.matchable) IS DISTINCT FROM
           (OLD.voter_id, OLD.offline_donor_id, OLD.matchable)) THEN
      RAISE EXCEPTION 'contribution % keeps its amount, project and giver', OLD.reference
        USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_contribution_keeps';
    END IF;
    IF NOT (NEW.state = OLD.state
            OR (OLD.state = 'started' AND NEW.state IN ('counted', 'abandoned', 'failed', 'refunded'))
            OR (OLD.state IN ('abandoned', 'failed') AND NEW.state IN ('counted', 'refunded'))
            OR (OLD.state = 'counted' AND NEW.state = 'refunded')) THEN
      RAISE EXCEPTION 'contribution % cannot go from % to %', OLD.reference, OLD.state, NEW.state
        USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_contribution_forward';
    END IF;
    NEW.counted_xid := OLD.counted_xid;
    NEW.ended_xid := OLD.ended_xid;
    IF NEW.state <> OLD.state THEN
      IF NEW.state = 'counted' THEN
        NEW.counted_xid := pg_current_xact_id();
      ELSIF OLD.state = 'counted' THEN
        NEW.ended_xid := pg_current_xact_id();
      END IF;
    END IF;
  ELSE
    NEW.counted_xid := CASE WHEN NEW.state = 'counted' THEN pg_current_xact_id() END;
    NEW.ended_xid := NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER abonde_contribution_state BEFORE INSERT OR UPDATE ON abonde_participation_contribution
  FOR EACH ROW EXECUTE FUNCTION abonde_contribution_state();
"""
CONTRIBUTION_REVERSE = """
DROP TRIGGER abonde_contribution_state ON abonde_participation_contribution;
DROP FUNCTION abonde_contribution_state();
ALTER TABLE abonde_participation_contribution DROP COLUMN counted_xid, DROP COLUMN ended_xid;
"""

PAYMENT = """
CREATE FUNCTION abonde_payment_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.amount_cents, NEW.key, NEW.contribution_id, NEW.provider) IS DISTINCT FROM
     (OLD.amount_cents, OLD.key, OLD.contribution_id, OLD.provider) THEN
    RAISE EXCEPTION 'payment % keeps its amount, key and provider', OLD.key
      USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_payment_keeps';
  END IF;
  IF (OLD.state IN ('paid', 'refund_due', 'refunded', 'disputed')
      AND NEW.state IN ('created', 'pending', 'failed', 'expired'))
     OR (OLD.state = 'refunded' AND NEW.state = 'paid') THEN
    RAISE EXCEPTION 'payment % cannot go from % to %', OLD.key, OLD.state, NEW.state
      USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_payment_forward';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER abonde_payment_state BEFORE UPDATE ON abonde_participation_payment
  FOR EACH ROW EXECUTE FUNCTION abonde_payment_state();
"""
PAYMENT_REVERSE = """
DROP TRIGGER abonde_payment_state ON abonde_participation_payment;
DROP FUNCTION abonde_payment_state();
"""

REFUND = """
CREATE FUNCTION abonde_refund_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  captured bigint;
  returned bigint;
BEGIN
  SELECT coalesce(captured_cents, amount_cents) INTO captured FROM abonde_participation_payment
    WHERE id = NEW.payment_id FOR NO KEY UPDATE;
  SELECT sum(amount_cents) INTO returned FROM abonde_participation_refund
    WHERE payment_id = NEW.payment_id AND state <> 'failed';
  IF returned > captured THEN
    RAISE EXCEPTION 'refunds of payment % would exceed what was captured by % cents',
      NEW.payment_id, returned - captured
      USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_refund_within_payment';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER abonde_refund_limit AFTER INSERT ON abonde_participation_refund
  FOR EACH ROW EXECUTE FUNCTION abonde_refund_limit();
CREATE TRIGGER abonde_refund_limit_again AFTER UPDATE ON abonde_participation_refund
  FOR EACH ROW WHEN (OLD.amount_cents <> NEW.amount_cents OR OLD.payment_id <> NEW.payment_id
                     OR (OLD.state = 'failed' AND NEW.state <> 'failed'))
  EXECUTE FUNCTION abonde_refund_limit();
"""
REFUND_REVERSE = """
DROP TRIGGER abonde_refund_limit_again ON abonde_participation_refund;
DROP TRIGGER abonde_refund_limit ON abonde_participation_refund;
DROP FUNCTION abonde_refund_limit();
"""

FIGURES = """
ALTER TABLE abonde_participation_projectstatistics
  ADD COLUMN cluster bigint NOT NULL DEFAULT 0,
  ADD COLUMN horizon xid8 NOT NULL DEFAULT '0';

-- Roll-up of each project and what changed since, per giver: (old cents, new cents) of matchable money for the
-- roots. `upto` limits the new side to what is final (for the worker); null means now.
CREATE FUNCTION abonde_project_figures(ids bigint[], upto xid8 DEFAULT NULL)
RETURNS TABLE (project_id bigint, citizens_cents bigint, donors bigint, matchable_cents bigint,
               matchable_donors bigint, sum_of_roots numeric, refreshed_at timestamptz, horizon xid8,
               old_roots bigint[], new_roots bigint[])
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  here bigint := abonde_cluster();
  lowest xid8;
BEGIN
  SELECT min(CASE WHEN s.cluster = here THEN s.horizon ELSE '0'::xid8 END) INTO lowest
  FROM unnest(ids) i LEFT JOIN abonde_participation_projectstatistics s ON s.project_id = i;
  lowest := CASE WHEN (SELECT count(*) FROM abonde_participation_projectstatistics s
                       WHERE s.project_id = ANY (ids)) < coalesce(array_length(ids, 1), 0)
                 THEN '0'::xid8 ELSE coalesce(lowest, '0'::xid8) END;
  RETURN QUERY
  WITH base AS MATERIALIZED (
    SELECT i AS id, s.refreshed_at AS at,
           CASE WHEN s.cluster = here THEN s.horizon ELSE '0'::xid8 END AS h,
           CASE WHEN s.cluster = here THEN s.citizens_cents ELSE 0 END AS cents,
           CASE WHEN s.cluster = here THEN s.donors ELSE 0 END AS people,
           CASE WHEN s.cluster = here THEN s.matchable_cents ELSE 0 END AS m_cents,
           CASE WHEN s.cluster = here THEN s.matchable_donors ELSE 0 END AS m_people,
           CASE WHEN s.cluster = here THEN s.sum_of_roots ELSE 0 END AS roots
    FROM unnest(ids) i LEFT JOIN abonde_participation_projectstatistics s ON s.project_id = i
  ), changed AS MATERIALIZED (
    SELECT c.id, c.project_id FROM abonde_participation_contribution c
      WHERE c.counted_xid >= lowest AND c.project_id = ANY (ids)
    UNION
    SELECT c.id, c.project_id FROM abonde_participation_contribution c
      WHERE c.ended_xid >= lowest AND c.project_id = ANY (ids)
  ), givers AS MATERIALIZED (
    SELECT DISTINCT b.id, b.h, c.voter_id, c.offline_donor_id
    FROM changed k
    JOIN abonde_participation_contribution c ON c.id = k.id
    JOIN base b ON b.id = c.project_id
    WHERE (c.counted_xid >= b.h AND (upto IS NULL OR c.counted_xid < upto))
       OR (c.ended_xid >= b.h AND (upto IS NULL OR c.ended_xid < upto))
  ), sums AS (
    SELECT g.id, t.*
    FROM givers g CROSS JOIN LATERAL (
      SELECT
        coalesce(sum(r.amount_cents) FILTER (WHERE r.before), 0) AS old_all,
        coalesce(sum(r.amount_cents) FILTER (WHERE r.after), 0) AS new_all,
        coalesce(sum(r.amount_cents) FILTER (WHERE r.before AND r.matchable), 0) AS old_m,
        coalesce(sum(r.amount_cents) FILTER (WHERE r.after AND r.matchable), 0) AS new_m
      FROM (
        SELECT c.amount_cents, c.matchable,
               c.counted_xid < g.h AND (c.ended_xid IS NULL OR c.ended_xid >= g.h) AS before,
               (upto IS NULL OR c.counted_xid < upto)
                 AND (c.ended_xid IS NULL OR (upto IS NOT NULL AND c.ended_xid >= upto)) AS after
        FROM abonde_participation_contribution c
        WHERE c.voter_id = g.voter_id AND c.project_id = g.id AND c.counted_xid IS NOT NULL
        UNION ALL
        SELECT c.amount_cents, c.matchable,
               c.counted_xid < g.h AND (c.ended_xid IS NULL OR c.ended_xid >= g.h),
               (upto IS NULL OR c.counted_xid < upto)
                 AND (c.ended_xid IS NULL OR (upto IS NOT NULL AND c.ended_xid >= upto))
        FROM abonde_participation_contribution c
        WHERE c.offline_donor_id = g.offline_donor_id AND c.project_id = g.id AND c.counted_xid IS NOT NULL
      ) r
    ) t
  ), tail AS MATERIALIZED (
    SELECT s.id, sum(new_all - old_all) AS cents,
           count(*) FILTER (WHERE new_all > 0) - count(*) FILTER (WHERE old_all > 0) AS people,
           sum(new_m - old_m) AS m_cents,
           count(*) FILTER (WHERE new_m > 0) - count(*) FILTER (WHERE old_m > 0) AS m_people,
           array_agg(old_m::bigint) FILTER (WHERE old_m > 0 AND old_m <> new_m) AS old_roots,
           array_agg(new_m::bigint) FILTER (WHERE new_m > 0 AND old_m <> new_m) AS new_roots
    FROM sums s GROUP BY s.id
  )
  SELECT b.id, (b.cents + coalesce(t.cents, 0))::bigint, b.people + coalesce(t.people, 0),
         (b.m_cents + coalesce(t.m_cents, 0))::bigint, b.m_people + coalesce(t.m_people, 0),
         b.roots, b.at, b.h, t.old_roots, t.new_roots
  FROM base b LEFT JOIN tail t ON t.id = b.id;
END $$;
"""
FIGURES_REVERSE = """
DROP FUNCTION abonde_project_figures(bigint[], xid8);
ALTER TABLE abonde_participation_projectstatistics DROP COLUMN cluster, DROP COLUMN horizon;
"""


class Migration(migrations.Migration):
    dependencies = [("abonde_participation", "0003_ledger_guards")]

    operations = [
        migrations.AddField(
            "payment",
            "captured_cents",
            models.PositiveBigIntegerField(blank=True, null=True, verbose_name="captured (cents)"),
        ),
        migrations.RunSQL(DELETE, DELETE_REVERSE),
        migrations.RunSQL(CONTRIBUTION, CONTRIBUTION_REVERSE),
        migrations.RunSQL(PAYMENT, PAYMENT_REVERSE),
        migrations.RunSQL(REFUND, REFUND_REVERSE),
        migrations.RunSQL(FIGURES, FIGURES_REVERSE),
    ]
