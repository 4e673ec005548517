"""What no screen, script or superuser may do quietly: change a frozen rule, a decision, a version.

Frozen means: the campaign has a version of its rules. A rule then changes only in the transaction
that writes the next version, which itself needs reasons and two people.
"""

from django.db import migrations

FREEZE = """
CREATE FUNCTION abonde_rules_frozen(campaign bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM abonde_defis_rulesversion WHERE campaign_id = campaign)
$$;

CREATE FUNCTION abonde_rules_changing(campaign bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM abonde_defis_rulesversion
        WHERE campaign_id = campaign AND version > 1
          AND transaction_id = pg_current_xact_id()::text::bigint)
$$;

CREATE FUNCTION abonde_refuse_silent_rule(campaign bigint, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF abonde_rules_frozen(campaign) AND NOT abonde_rules_changing(campaign) THEN
        RAISE EXCEPTION 'The rules of campaign % are frozen: % may change only with a new version of the rules', campaign, what
            USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_rules_frozen';
    END IF;
END $$;

CREATE FUNCTION abonde_campaign_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT abonde_rules_frozen(OLD.id) OR OLD.rules_frozen_at IS NULL THEN
        RETURN NEW;
    END IF;
    IF NEW.rules_frozen_at IS DISTINCT FROM OLD.rules_frozen_at THEN
        RAISE EXCEPTION 'The rules of campaign % were frozen on %: that date does not change', OLD.id, OLD.rules_frozen_at
            USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_rules_frozen';
    END IF;
    IF (NEW.fund_id, NEW.reference, NEW.opens_at, NEW.closes_at, NEW.min_contribution_cents,
        NEW.max_contribution_cents, NEW.max_per_person_cents, NEW.goal_min_cents, NEW.goal_max_cents,
        NEW.duration_min_days, NEW.duration_max_days, NEW.threshold_numerator, NEW.threshold_denominator,
        NEW.threshold_base, NEW.fee_bps, NEW.minimum_age, NEW.residency_methods, NEW.identity_providers,
        NEW.collection_provider, NEW.allowance_cents)
       IS DISTINCT FROM
       (OLD.fund_id, OLD.reference, OLD.opens_at, OLD.closes_at, OLD.min_contribution_cents,
        OLD.max_contribution_cents, OLD.max_per_person_cents, OLD.goal_min_cents, OLD.goal_max_cents,
        OLD.duration_min_days, OLD.duration_max_days, OLD.threshold_numerator, OLD.threshold_denominator,
        OLD.threshold_base, OLD.fee_bps, OLD.minimum_age, OLD.residency_methods, OLD.identity_providers,
        OLD.collection_provider, OLD.allowance_cents)
       AND NEW.rules_version <> OLD.rules_version + 1
    THEN
        RAISE EXCEPTION 'The rules of campaign % are frozen: they change only with the next version', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_rules_frozen';
    END IF;
    IF NEW.rules_version <> OLD.rules_version OR NEW.rules_sha256 <> OLD.rules_sha256 THEN
        PERFORM abonde_refuse_silent_rule(OLD.id, 'the version');
        IF NEW.rules_version <> (SELECT max(version) FROM abonde_defis_rulesversion WHERE campaign_id = OLD.id) THEN
            RAISE EXCEPTION 'Campaign % must name the latest version of its rules', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_rules_frozen';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER abonde_campaign_rules BEFORE UPDATE ON abonde_defis_campaign
    FOR EACH ROW EXECUTE FUNCTION abonde_campaign_rules();

CREATE FUNCTION abonde_pot_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND
       (NEW.campaign_id, NEW.slug, NEW.rule, NEW.ratio_numerator, NEW.ratio_denominator, NEW."order", NEW.mode,
        NEW.cap_per_donor_cents, NEW.cap_per_project_cents, NEW.min_donor_cents, NEW.min_donors)
       IS NOT DISTINCT FROM
       (OLD.campaign_id, OLD.slug, OLD.rule, OLD.ratio_numerator, OLD.ratio_denominator, OLD."order", OLD.mode,
        OLD.cap_per_donor_cents, OLD.cap_per_project_cents, OLD.min_donor_cents, OLD.min_donors)
    THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'INSERT' THEN PERFORM abonde_refuse_silent_rule(OLD.campaign_id, 'a pot'); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM abonde_refuse_silent_rule(NEW.campaign_id, 'a pot'); END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER abonde_pot_rules BEFORE INSERT OR UPDATE OR DELETE ON abonde_defis_pot
    FOR EACH ROW EXECUTE FUNCTION abonde_pot_rules();

CREATE FUNCTION abonde_pledge_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.pot_id, NEW.funder_id, NEW.amount_cents)
       IS NOT DISTINCT FROM (OLD.pot_id, OLD.funder_id, OLD.amount_cents)
    THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM abonde_refuse_silent_rule(campaign_id, 'a pledge') FROM abonde_defis_pot WHERE id = OLD.pot_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM abonde_refuse_silent_rule(campaign_id, 'a pledge') FROM abonde_defis_pot WHERE id = NEW.pot_id;
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER abonde_pledge_rules BEFORE INSERT OR UPDATE OR DELETE ON abonde_defis_pledge
    FOR EACH ROW EXECUTE FUNCTION abonde_pledge_rules();

CREATE FUNCTION abonde_pot_projects_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM abonde_refuse_silent_rule(campaign_id, 'the projects of a pot')
        FROM abonde_defis_pot WHERE id = COALESCE(NEW.pot_id, OLD.pot_id);
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER abonde_pot_projects_rules BEFORE INSERT OR UPDATE OR DELETE ON abonde_defis_pot_projects
    FOR EACH ROW EXECUTE FUNCTION abonde_pot_projects_rules();

CREATE FUNCTION abonde_project_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.campaign_id, NEW.goal_cents, NEW.opens_at, NEW.closes_at, NEW.reference)
       IS DISTINCT FROM (OLD.campaign_id, OLD.goal_cents, OLD.opens_at, OLD.closes_at, OLD.reference)
    THEN
        PERFORM abonde_refuse_silent_rule(OLD.campaign_id, 'the goal or the dates of a project');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER abonde_project_rules BEFORE UPDATE ON abonde_defis_project
    FOR EACH ROW EXECUTE FUNCTION abonde_project_rules();
"""

UNFREEZE = """
DROP TRIGGER abonde_project_rules ON abonde_defis_project;
DROP TRIGGER abonde_pot_projects_rules ON abonde_defis_pot_projects;
DROP TRIGGER abonde_pledge_rules ON abonde_defis_pledge;
DROP TRIGGER abonde_pot_rules ON abonde_defis_pot;
DROP TRIGGER abonde_campaign_rules ON abonde_defis_campaign;
DROP FUNCTION abonde_project_rules(), abonde_pot_projects_rules(), abonde_pledge_rules(), abonde_pot_rules(),
    abonde_campaign_rules(), abonde_refuse_silent_rule(bigint, text), abonde_rules_changing(bigint),
    abonde_rules_frozen(bigint);
"""

APPEND_ONLY = """
CREATE FUNCTION abonde_rulesversion_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.transaction_id := pg_current_xact_id()::text::bigint;
        RETURN NEW;
    END IF;
    -- A version is written in two steps of one transaction: its place, then its text and digest.
    IF TG_OP = 'UPDATE' AND OLD.sha256 = '' AND OLD.transaction_id = pg_current_xact_id()::text::bigint
       AND (NEW.campaign_id, NEW.version, NEW.reason, NEW.requested_by_id, NEW.signed_by_id, NEW.transaction_id)
           IS NOT DISTINCT FROM
           (OLD.campaign_id, OLD.version, OLD.reason, OLD.requested_by_id, OLD.signed_by_id, OLD.transaction_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'A version of the rules is never changed: a new one follows'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_rulesversion_append_only';
END $$;
CREATE TRIGGER abonde_rulesversion_guard BEFORE INSERT OR UPDATE OR DELETE ON abonde_defis_rulesversion
    FOR EACH ROW EXECUTE FUNCTION abonde_rulesversion_guard();

CREATE FUNCTION abonde_decision_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A decision is never changed: a new one follows'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_decision_immutable';
END $$;
CREATE TRIGGER abonde_decision_guard BEFORE UPDATE OR DELETE ON abonde_defis_decision
    FOR EACH ROW EXECUTE FUNCTION abonde_decision_guard();
CREATE TRIGGER abonde_decision_no_truncate BEFORE TRUNCATE ON abonde_defis_decision
    FOR EACH STATEMENT EXECUTE FUNCTION abonde_decision_guard();
CREATE TRIGGER abonde_rulesversion_no_truncate BEFORE TRUNCATE ON abonde_defis_rulesversion
    FOR EACH STATEMENT EXECUTE FUNCTION abonde_decision_guard();
"""

NOT_APPEND_ONLY = """
DROP TRIGGER abonde_rulesversion_no_truncate ON abonde_defis_rulesversion;
DROP TRIGGER abonde_decision_no_truncate ON abonde_defis_decision;
DROP TRIGGER abonde_decision_guard ON abonde_defis_decision;
DROP TRIGGER abonde_rulesversion_guard ON abonde_defis_rulesversion;
DROP FUNCTION abonde_decision_guard(), abonde_rulesversion_guard();
"""

ENDOWMENT = """
CREATE FUNCTION abonde_endowment_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM abonde_defis_pledge pledge
        JOIN abonde_defis_organisation funder ON funder.id = pledge.funder_id AND funder.kind = 'authority'
        JOIN abonde_defis_pot pot ON pot.id = pledge.pot_id
        JOIN abonde_defis_campaign campaign ON campaign.id = pot.campaign_id
        JOIN abonde_defis_fund fund ON fund.id = campaign.fund_id
        JOIN abonde_defis_organisation holder ON holder.id = fund.legal_holder_id AND holder.kind = 'endowment'
    ) THEN
        RAISE EXCEPTION 'An endowment fund (fonds de dotation) may not receive public money'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'abonde_endowment_takes_no_public_money';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER abonde_endowment_pledge AFTER INSERT OR UPDATE OF pot_id, funder_id ON abonde_defis_pledge
    FOR EACH ROW EXECUTE FUNCTION abonde_endowment_guard();
CREATE CONSTRAINT TRIGGER abonde_endowment_pot AFTER UPDATE OF campaign_id ON abonde_defis_pot
    FOR EACH ROW EXECUTE FUNCTION abonde_endowment_guard();
CREATE CONSTRAINT TRIGGER abonde_endowment_campaign AFTER UPDATE OF fund_id ON abonde_defis_campaign
    FOR EACH ROW EXECUTE FUNCTION abonde_endowment_guard();
CREATE CONSTRAINT TRIGGER abonde_endowment_fund AFTER UPDATE OF legal_holder_id ON abonde_defis_fund
    FOR EACH ROW EXECUTE FUNCTION abonde_endowment_guard();
CREATE CONSTRAINT TRIGGER abonde_endowment_organisation AFTER UPDATE OF kind ON abonde_defis_organisation
    FOR EACH ROW EXECUTE FUNCTION abonde_endowment_guard();
"""

NO_ENDOWMENT = """
DROP TRIGGER abonde_endowment_organisation ON abonde_defis_organisation;
DROP TRIGGER abonde_endowment_fund ON abonde_defis_fund;
DROP TRIGGER abonde_endowment_campaign ON abonde_defis_campaign;
DROP TRIGGER abonde_endowment_pot ON abonde_defis_pot;
DROP TRIGGER abonde_endowment_pledge ON abonde_defis_pledge;
DROP FUNCTION abonde_endowment_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("abonde_defis", "0002_records_of_rules_selection_and_pages")]

    operations = [
        migrations.RunSQL(FREEZE, UNFREEZE),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
        migrations.RunSQL(ENDOWMENT, NO_ENDOWMENT),
    ]
