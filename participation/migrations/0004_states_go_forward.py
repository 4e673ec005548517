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

-- Roll-up of each project and what changed since, per giver: old and new cents of matchable money for the roots.
-- A voter that leads to another (`merged_into`) is that other. `upto` limits the new side to what is final (for
-- the worker); null means now. A project without a roll-up of this cluster is added up from its first gift.
CREATE FUNCTION abonde_project_figures(ids bigint[], upto xid8 DEFAULT NULL)
RETURNS TABLE (project_id bigint, citizens_cents bigint, donors bigint, matchable_cents bigint,
               matchable_donors bigint, sum_of_roots numeric, refreshed_at timestamptz, horizon xid8,
               old_roots bigint[], new_roots bigint[])
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  rolled bigint[];
  others bigint[];
  lowest xid8;
BEGIN
  SELECT array_agg(s.project_id), min(s.horizon) INTO rolled, lowest
  FROM abonde_participation_projectstatistics s
  WHERE s.project_id = ANY (ids) AND s.cluster = abonde_cluster() AND s.horizon > '0'::xid8;
  SELECT array_agg(i) INTO others FROM unnest(ids) i WHERE i <> ALL (coalesce(rolled, '{}'));

  IF others IS NOT NULL THEN
    RETURN QUERY
    WITH sums AS (
      SELECT c.project_id AS id, coalesce(v.merged_into_id, v.id, -c.offline_donor_id) AS giver,
             sum(c.amount_cents) AS new_all, coalesce(sum(c.amount_cents) FILTER (WHERE c.matchable), 0) AS new_m
      FROM abonde_participation_contribution c LEFT JOIN abonde_participation_voter v ON v.id = c.voter_id
      WHERE c.project_id = ANY (others) AND c.counted_xid IS NOT NULL
        AND (upto IS NULL OR c.counted_xid < upto)
        AND (c.ended_xid IS NULL OR (upto IS NOT NULL AND c.ended_xid >= upto))
      GROUP BY 1, 2
    ), totals AS (
      SELECT s.id, sum(s.new_all) AS cents, count(*) AS people, sum(s.new_m) AS m_cents,
             count(*) FILTER (WHERE s.new_m > 0) AS m_people,
             array_agg(s.new_m::bigint) FILTER (WHERE s.new_m > 0) AS roots
      FROM sums s GROUP BY s.id
    )
    SELECT i, coalesce(t.cents, 0)::bigint, coalesce(t.people, 0), coalesce(t.m_cents, 0)::bigint,
           coalesce(t.m_people, 0), 0::numeric, NULL::timestamptz, '0'::xid8, NULL::bigint[], t.roots
    FROM unnest(others) i LEFT JOIN totals t ON t.id = i;
  END IF;

  IF rolled IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH base AS MATERIALIZED (
    SELECT s.project_id AS id, s.horizon AS h, s.* FROM abonde_participation_projectstatistics s
    WHERE s.project_id = ANY (rolled)
  ), changed AS MATERIALIZED (
    -- Not by project: every horizon is recent, and so the tail of all projects is shorter than one's history.
    SELECT c.id FROM abonde_participation_contribution c WHERE c.counted_xid >= lowest
    UNION
    SELECT c.id FROM abonde_participation_contribution c WHERE c.ended_xid >= lowest
  ), givers AS MATERIALIZED (
    SELECT DISTINCT b.id, b.h, coalesce(v.merged_into_id, v.id) AS voter, c.offline_donor_id AS offline
    FROM changed k
    JOIN abonde_participation_contribution c ON c.id = k.id
    JOIN base b ON b.id = c.project_id
    LEFT JOIN abonde_participation_voter v ON v.id = c.voter_id
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
        FROM (
          SELECT o.* FROM abonde_participation_contribution o WHERE o.voter_id = g.voter
          UNION ALL
          SELECT o.* FROM abonde_participation_voter m
            JOIN abonde_participation_contribution o ON o.voter_id = m.id WHERE m.merged_into_id = g.voter
          UNION ALL
          SELECT o.* FROM abonde_participation_contribution o WHERE o.offline_donor_id = g.offline
        ) c
        WHERE c.project_id = g.id AND c.counted_xid IS NOT NULL
      ) r
    ) t
  ), tail AS MATERIALIZED (
    SELECT s.id, sum(s.new_all - s.old_all) AS cents,
           count(*) FILTER (WHERE s.new_all > 0) - count(*) FILTER (WHERE s.old_all > 0) AS people,
           sum(s.new_m - s.old_m) AS m_cents,
           count(*) FILTER (WHERE s.new_m > 0) - count(*) FILTER (WHERE s.old_m > 0) AS m_people,
           array_agg(s.old_m::bigint) FILTER (WHERE s.old_m > 0 AND s.old_m <> s.new_m) AS olds,
           array_agg(s.new_m::bigint) FILTER (WHERE s.new_m > 0 AND s.old_m <> s.new_m) AS news
    FROM sums s GROUP BY s.id
  )
  SELECT b.id, (b.citizens_cents + coalesce(t.cents, 0))::bigint, b.donors + coalesce(t.people, 0),
         (b.matchable_cents + coalesce(t.m_cents, 0))::bigint, b.matchable_donors + coalesce(t.m_people, 0),
         b.sum_of_roots, b.refreshed_at, b.h, t.olds, t.news
  FROM base b LEFT JOIN tail t ON t.id = b.id;
END $$;

-- Two voters who turn out to be one human change donors and roots of the past: roll up again.
CREATE FUNCTION abonde_voter_merged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM abonde_participation_contribution
             WHERE voter_id IN (NEW.id, NEW.merged_into_id) AND counted_xid IS NOT NULL) THEN
    -- The worker's own lock: no roll-up is being computed on the world of before.
    PERFORM pg_advisory_xact_lock(3::bigint << 56);
    UPDATE abonde_participation_projectstatistics SET horizon = '0'
    WHERE project_id IN (SELECT project_id FROM abonde_participation_contribution
                         WHERE voter_id = NEW.id AND counted_xid IS NOT NULL);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER abonde_voter_merged AFTER UPDATE OF merged_into_id ON abonde_participation_voter
  FOR EACH ROW WHEN (OLD.merged_into_id IS DISTINCT FROM NEW.merged_into_id)
  EXECUTE FUNCTION abonde_voter_merged();
"""
FIGURES_REVERSE = """
DROP TRIGGER abonde_voter_merged ON abonde_participation_voter;
DROP FUNCTION abonde_voter_merged();
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
