"""What was computed, signed and published stays as it was written, whoever asks (SQL included).

- calculations, signatures, publications, shares: never updated, never deleted;
  a rehearsal may be deleted, it decided nothing;
- corrections of shares: as long as nobody signed their calculation;
- a signature must be written by two different humans (unique constraint), for a final
  calculation that is not published yet.
"""

from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION abonde_fundmatch_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'abonde: % is never changed nor deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION abonde_fundmatch_run_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.kind <> 'rehearsal' THEN
        RAISE EXCEPTION 'abonde: a final calculation is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE FUNCTION abonde_fundmatch_override_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    guarded bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.run_id, OLD.project_id, OLD.pot_id) <> (NEW.run_id, NEW.project_id, NEW.pot_id) THEN
        RAISE EXCEPTION 'abonde: a correction stays with its share' USING ERRCODE = 'restrict_violation';
    END IF;
    guarded := CASE WHEN TG_OP = 'DELETE' THEN OLD.run_id ELSE NEW.run_id END;
    -- The run's row is the lock that a signature takes too: a correction cannot slip under a signature.
    PERFORM 1 FROM abonde_fundmatch_matchrun WHERE id = guarded FOR UPDATE;
    IF EXISTS (SELECT 1 FROM abonde_fundmatch_signature WHERE run_id = guarded) THEN
        RAISE EXCEPTION 'abonde: the calculation is signed, its corrections are closed'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE FUNCTION abonde_fundmatch_signature_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    run_kind text;
BEGIN
    SELECT kind INTO run_kind FROM abonde_fundmatch_matchrun WHERE id = NEW.run_id FOR UPDATE;
    IF run_kind <> 'final' THEN
        RAISE EXCEPTION 'abonde: a rehearsal is not signed' USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM abonde_fundmatch_publication WHERE run_id = NEW.run_id) THEN
        RAISE EXCEPTION 'abonde: the calculation is published' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION abonde_fundmatch_publication_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(DISTINCT (side, signed_by_id)) FROM abonde_fundmatch_signature WHERE run_id = NEW.run_id) < 2
       OR (SELECT count(DISTINCT content_sha256) FROM abonde_fundmatch_signature WHERE run_id = NEW.run_id) <> 1 THEN
        RAISE EXCEPTION 'abonde: both sides sign the same content before a publication'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

TABLES = ["matchrun", "signature", "publication", "allocation"]

TRIGGERS = "\n".join(
    [
        *(
            f"CREATE TRIGGER abonde_{table}_immutable BEFORE UPDATE{'' if table == 'matchrun' else ' OR DELETE'} "
            f"ON abonde_fundmatch_{table} FOR EACH ROW EXECUTE FUNCTION abonde_fundmatch_immutable();"
            for table in TABLES
        ),
        *(
            f"CREATE TRIGGER abonde_{table}_not_emptied BEFORE TRUNCATE ON abonde_fundmatch_{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION abonde_fundmatch_immutable();"
            for table in [*TABLES, "override"]
        ),
        "CREATE TRIGGER abonde_matchrun_delete BEFORE DELETE ON abonde_fundmatch_matchrun "
        "FOR EACH ROW EXECUTE FUNCTION abonde_fundmatch_run_delete();",
        "CREATE TRIGGER abonde_override_guard BEFORE INSERT OR UPDATE OR DELETE ON abonde_fundmatch_override "
        "FOR EACH ROW EXECUTE FUNCTION abonde_fundmatch_override_guard();",
        "CREATE TRIGGER abonde_signature_guard BEFORE INSERT ON abonde_fundmatch_signature "
        "FOR EACH ROW EXECUTE FUNCTION abonde_fundmatch_signature_guard();",
        "CREATE TRIGGER abonde_publication_guard BEFORE INSERT ON abonde_fundmatch_publication "
        "FOR EACH ROW EXECUTE FUNCTION abonde_fundmatch_publication_guard();",
    ]
)

UNDO = "\n".join(
    f"DROP FUNCTION {name}() CASCADE;"
    for name in (
        "abonde_fundmatch_immutable",
        "abonde_fundmatch_run_delete",
        "abonde_fundmatch_override_guard",
        "abonde_fundmatch_signature_guard",
        "abonde_fundmatch_publication_guard",
    )
)


class Migration(migrations.Migration):
    dependencies = [("abonde_fundmatch", "0002_number_runs_and_tell_results")]

    operations = [
        migrations.RunSQL(FUNCTIONS, UNDO),
        migrations.RunSQL(TRIGGERS, migrations.RunSQL.noop),
    ]
