-- What every service's database needs to keep its promises. ":app" is replaced by the application's role.

CREATE FUNCTION clock() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
    AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION clock() IS 'Business time. Tests replace it to travel in time; nothing else may.';


CREATE TABLE command (
    actor        text NOT NULL,
    operation    text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    answer       jsonb NOT NULL,
    answered_at  timestamptz NOT NULL,
    PRIMARY KEY (actor, operation, key)
);
CREATE INDEX command_age ON command (answered_at);
COMMENT ON TABLE command IS 'Answers of committed commands, given again when the same command comes again within a week.';
COMMENT ON COLUMN command.request_hash IS 'HMAC, so that a password in a request cannot be guessed from it.';

CREATE FUNCTION claim_command(
    an_actor text, an_operation text, a_key text,
    OUT is_ours boolean, OUT now timestamptz, OUT request_hash bytea, OUT answer text
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    is_ours := pg_try_advisory_xact_lock(hashtextextended(concat_ws(E'\n', an_actor, an_operation, a_key), 0));
    now := clock();
    IF is_ours THEN
        SELECT known.request_hash, known.answer::text INTO request_hash, answer FROM command AS known
        WHERE known.actor = an_actor AND known.operation = an_operation AND known.key = a_key;
    END IF;
END $$;
COMMENT ON FUNCTION claim_command IS
    'Locks a command''s identity and then looks for its answer, each in a snapshot of its own, in one round trip.';


CREATE TABLE outbox (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL UNIQUE,
    position     bigint UNIQUE,
    name         text NOT NULL,
    aggregate_id uuid NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    agency_id    uuid NOT NULL,
    actor        text NOT NULL,
    request_id   text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    data         jsonb NOT NULL,
    published_at timestamptz,
    UNIQUE (aggregate_id, version),
    CHECK (published_at IS NULL OR position IS NOT NULL)
);
CREATE INDEX outbox_unnumbered ON outbox (seq) WHERE position IS NULL;
CREATE INDEX outbox_unpublished ON outbox (position) WHERE published_at IS NULL AND position IS NOT NULL;
COMMENT ON COLUMN outbox.position IS 'Given by the one leader in the order of seq; what a consumer''s cursor counts.';
COMMENT ON COLUMN outbox.version IS 'Of the aggregate, whose row is locked before this one is written.';


CREATE TABLE inbox (
    handler     text NOT NULL,
    event_id    uuid NOT NULL,
    source      text NOT NULL,
    position    bigint NOT NULL,
    state       text NOT NULL CHECK (state IN ('done', 'failed', 'parked')),
    envelope    jsonb,
    tries       integer NOT NULL DEFAULT 0,
    next_try    timestamptz,
    error       text,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (handler, event_id),
    CHECK (state = 'done' OR envelope IS NOT NULL),
    CHECK ((state = 'failed') = (next_try IS NOT NULL))
);
CREATE INDEX inbox_due ON inbox (next_try) WHERE state = 'failed';
CREATE INDEX inbox_done ON inbox (source, position) WHERE state = 'done';
COMMENT ON COLUMN inbox.state IS 'A parked one is tried again after: UPDATE inbox SET state = ''failed'', tries = 0, next_try = clock() WHERE …';


CREATE TABLE event_cursor (
    source   text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0)
);
COMMENT ON COLUMN event_cursor.position IS 'Every event of the producer up to here was handled or has a failed or parked inbox row.';

CREATE FUNCTION receive_event(a_handler text, an_event_id uuid, a_source text, a_position bigint) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    received timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('cursor ' || a_source, 0));
    INSERT INTO inbox (handler, event_id, source, position, state)
    SELECT a_handler, an_event_id, a_source, a_position, 'done'
    WHERE NOT EXISTS (SELECT FROM event_cursor WHERE source = a_source AND position >= a_position)
    ON CONFLICT DO NOTHING RETURNING clock() INTO received;
    RETURN received;
END $$;
COMMENT ON FUNCTION receive_event IS
    'The business time at which a handler takes an event, or NULL when it has it already. The lock is shared with other handlers
    and exclusive for the sweep that moves the cursor and prunes below it: else a copy that comes at that very moment would see
    neither the pruned row nor the moved cursor.';


CREATE TABLE audit (
    id         uuid PRIMARY KEY,
    agency_id  uuid NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    operation  text NOT NULL,
    command_id text,
    request_id text NOT NULL,
    result     text NOT NULL CHECK (result IN ('done', 'denied')),
    subject_id uuid,
    old        jsonb,
    new        jsonb
);
CREATE INDEX audit_subject ON audit (subject_id, at);
CREATE INDEX audit_command ON audit (command_id);
COMMENT ON TABLE audit IS 'One row for each committed command and for each denial; never changed.';

CREATE TABLE audit_unchained (
    audit_id  uuid PRIMARY KEY REFERENCES audit,
    agency_id uuid NOT NULL
);
COMMENT ON TABLE audit_unchained IS 'Rows that the leader has still to chain.';

CREATE TABLE audit_chain (
    agency_id uuid NOT NULL,
    number    bigint NOT NULL CHECK (number > 0),
    audit_id  uuid NOT NULL UNIQUE REFERENCES audit,
    previous  bytea NOT NULL,
    hash      bytea NOT NULL,
    PRIMARY KEY (agency_id, number)
);
COMMENT ON COLUMN audit_chain.hash IS 'SHA-256 of previous and the canonical JSON of the audit row.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER chain_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE UPDATE, DELETE ON audit, audit_chain, outbox FROM :app;
REVOKE UPDATE ON command FROM :app;
GRANT UPDATE (position, published_at) ON outbox TO :app;
