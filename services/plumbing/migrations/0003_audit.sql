-- The audit is searched, denials are in it once, and old stretches of it go by policy.

ALTER TABLE audit ADD COLUMN on_behalf_of uuid;
COMMENT ON COLUMN audit.on_behalf_of IS 'The person for whom a service acted, such as who logs in by the gateway. Rows from before there was this column
    have none, and their hashes were made without it.';
COMMENT ON TABLE audit IS 'One row for each committed command and for each denial; never changed, and gone only by prune_audit.';

-- A page of the newest is read off an index backwards, whatever is asked for.
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_agency ON audit (agency_id, at, id);
CREATE INDEX audit_actor ON audit (actor, at, id);
CREATE INDEX audit_on_behalf_of ON audit (on_behalf_of, at, id) WHERE on_behalf_of IS NOT NULL;
CREATE INDEX audit_operation ON audit (operation, at, id);
CREATE INDEX audit_denied ON audit (at, id) WHERE result = 'denied';
CREATE INDEX audit_request ON audit (request_id);

-- The wall, for reading alone: a command writes rows of the agency that it concerns, which need not be the caller's. Unset it shows
-- nothing instead of raising: a leader of the release before, which does not set it, then leaves the chain to the next one.
-- Of a CASE the planner believes that it holds for half of the rows, of the OR in `wall_off` that it holds for hardly any; then it
-- would rather sort all rows than read a page off an index.
ALTER TABLE audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON audit FOR SELECT TO :app USING (
    CASE WHEN (SELECT current_setting('qudao.agency', true)) = '*' THEN true
    ELSE agency_id = (SELECT nullif(nullif(current_setting('qudao.agency', true), '*'), '')::uuid) END);
CREATE POLICY written ON audit FOR INSERT TO :app WITH CHECK (true);
CREATE POLICY keeper ON audit TO CURRENT_USER USING (true) WITH CHECK (true);


CREATE TABLE denial (
    digest    bytea PRIMARY KEY,
    forget_at timestamptz NOT NULL
);
CREATE INDEX denial_age ON denial (forget_at);
COMMENT ON TABLE denial IS 'What has been denied and stands in the audit: when the same request comes again under its key, it is the same denial.';
COMMENT ON COLUMN denial.digest IS 'Keyed HMAC of who, what, key, request and error.';

CREATE TABLE denial_count (
    actor     text NOT NULL,
    operation text NOT NULL,
    refused   text NOT NULL,
    minute    timestamptz NOT NULL,
    agency_id uuid NOT NULL,
    times     bigint NOT NULL CHECK (times > 0),
    PRIMARY KEY (actor, operation, refused, minute)
);
CREATE INDEX denial_count_minute ON denial_count (minute);
COMMENT ON TABLE denial_count IS 'How often each was denied in a minute. Past a limit they have no rows of their own, so that a flood does not fill the disk;
    when the minute is over, one row of the audit says how many there were.';


CREATE TABLE audit_checkpoint (
    agency_id uuid NOT NULL,
    number    bigint NOT NULL CHECK (number > 0),
    hash      bytea NOT NULL,
    removed   bigint NOT NULL CHECK (removed > 0),
    last_at   timestamptz NOT NULL,
    before    timestamptz NOT NULL,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (agency_id, number),
    CONSTRAINT audit_checkpoint_by_policy CHECK (last_at < before AND before <= made_at - interval '184 days')
);
COMMENT ON TABLE audit_checkpoint IS 'Where old stretches of a chain were cut off: the rest is verified from the last one on. Nobody but prune_audit writes here.';
COMMENT ON COLUMN audit_checkpoint.number IS 'Of the last link that was removed; hash is its hash, last_at the time of the youngest row.';
COMMENT ON CONSTRAINT audit_checkpoint_by_policy ON audit_checkpoint IS 'Logs are kept for six months at least (CSL art. 21), whatever is set.';
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON audit_checkpoint FROM :app;

CREATE FUNCTION prune_audit(
    an_agency uuid, a_limit timestamptz, at_most integer, OUT number bigint, OUT hash bytea, OUT removed bigint
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    last_at timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('prune ' || an_agency, 0));
    -- The newest link stays, as the next one is hung on it.
    WITH oldest AS (
        SELECT link.number, link.hash, row_number() OVER (ORDER BY link.number) AS place, audit.at,
               max(audit.at) OVER (ORDER BY link.number) AS youngest
        FROM (SELECT c.number, c.hash, c.audit_id FROM audit_chain AS c
              WHERE c.agency_id = an_agency AND c.number < (SELECT max(h.number) FROM audit_chain AS h WHERE h.agency_id = an_agency)
              ORDER BY c.number LIMIT at_most) AS link
        JOIN audit ON audit.id = link.audit_id
    )
    SELECT oldest.number, oldest.hash, oldest.place, oldest.youngest INTO number, hash, removed, last_at
    FROM oldest WHERE oldest.youngest < a_limit ORDER BY oldest.number DESC LIMIT 1;
    IF number IS NULL THEN
        removed := 0;
        RETURN;
    END IF;
    INSERT INTO audit_checkpoint VALUES (an_agency, number, hash, removed, last_at, a_limit, clock());
    PERFORM set_config('qudao.pruning', 'on', true);
    WITH cut AS (DELETE FROM audit_chain AS c WHERE c.agency_id = an_agency AND c.number <= prune_audit.number RETURNING c.audit_id)
    DELETE FROM audit USING cut WHERE audit.id = cut.audit_id;
    PERFORM set_config('qudao.pruning', '', true);
END $$;
COMMENT ON FUNCTION prune_audit IS 'Removes what is older than the limit from the beginning of one chain, and leaves a checkpoint: the only way in which rows go.';
REVOKE EXECUTE ON FUNCTION prune_audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_audit TO :app;

-- Besides, whoever deletes is looked at: neither the owner nor a function of his removes what is young or stands behind no checkpoint.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' OR current_setting('qudao.pruning', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION refuse_young() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone WHERE at > clock() - interval '184 days') THEN
        RAISE EXCEPTION '% is append-only, and these rows are young', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION refuse_uncut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone WHERE NOT EXISTS (
            SELECT FROM audit_checkpoint AS c WHERE c.agency_id = gone.agency_id AND c.number >= gone.number)) THEN
        RAISE EXCEPTION '% is append-only, and no checkpoint stands for these links', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER audit_append_only ON audit;
DROP TRIGGER chain_append_only ON audit_chain;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER chain_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER checkpoint_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_kept AFTER DELETE ON audit REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_young();
CREATE TRIGGER chain_kept AFTER DELETE ON audit_chain REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_uncut();
