CREATE FUNCTION lock_customer(a_customer uuid) RETURNS void LANGUAGE sql VOLATILE
    AS $$ SELECT pg_advisory_xact_lock(hashtextextended('customer ' || a_customer, 0)) $$;
COMMENT ON FUNCTION lock_customer IS 'So that two handlers see each other''s facts, however close they come.';

CREATE FUNCTION follow_customer(
    a_customer uuid, a_version integer, an_agency uuid, an_owner uuid, a_name text, a_key boolean,
    a_holding integer, a_beginning timestamptz, a_source text, an_enterer uuid, a_day date
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM lock_customer(a_customer);
    INSERT INTO holding AS known (
        customer_id, version, agency_id, owner_id, name, is_key, holding, held_since, source, entered_by, entered_on)
    VALUES (a_customer, a_version, an_agency, an_owner, a_name, a_key, a_holding, a_beginning, a_source, an_enterer, a_day)
    ON CONFLICT (customer_id) DO UPDATE SET
        version = EXCLUDED.version, agency_id = EXCLUDED.agency_id, owner_id = EXCLUDED.owner_id, name = EXCLUDED.name,
        is_key = EXCLUDED.is_key, holding = EXCLUDED.holding, held_since = EXCLUDED.held_since, source = EXCLUDED.source
    WHERE known.version < EXCLUDED.version;
    UPDATE holding SET entered_by = an_enterer, entered_on = a_day
    WHERE an_enterer IS NOT NULL AND customer_id = a_customer AND (entered_by, entered_on) IS DISTINCT FROM (an_enterer, a_day);
END $$;
COMMENT ON FUNCTION follow_customer IS
    'Locks a customer, takes over its state unless a newer one is known, and notes who entered it when, which no later version
    changes: each in a snapshot of its own, in one round trip.';
