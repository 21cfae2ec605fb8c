CREATE TABLE contact_note (
    id              uuid PRIMARY KEY,
    customer_id     uuid NOT NULL,
    agency_id       uuid NOT NULL,
    department_id   uuid NOT NULL,
    author_id       uuid NOT NULL,
    method          text NOT NULL,
    content         text NOT NULL,
    maturity        integer NOT NULL CHECK (maturity >= 0),
    not_reached     boolean NOT NULL,
    busy            boolean NOT NULL,
    is_effective    boolean NOT NULL,
    next_contact_at timestamptz,
    written_at      timestamptz NOT NULL,
    CONSTRAINT contact_note_effective CHECK (is_effective = (maturity > 0 AND NOT not_reached AND NOT busy))
);
CREATE INDEX contact_note_customer ON contact_note (customer_id, id);
COMMENT ON CONSTRAINT contact_note_effective ON contact_note IS
    'An effective contact has a maturity above 0 and is ticked neither "not reached" nor "busy".';

CREATE TABLE log_entry (
    id           uuid PRIMARY KEY,
    source       text NOT NULL,
    position     bigint NOT NULL,
    name         text NOT NULL,
    aggregate_id uuid NOT NULL,
    version      integer NOT NULL,
    agency_id    uuid NOT NULL,
    actor        text NOT NULL,
    request_id   text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    data         jsonb NOT NULL,
    CONSTRAINT log_entry_version_key UNIQUE (aggregate_id, version),
    CONSTRAINT log_entry_position_key UNIQUE (source, position)
);
CREATE INDEX log_entry_agency ON log_entry (agency_id, id);
COMMENT ON TABLE log_entry IS 'Every event of every service, once.';
CREATE TRIGGER log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE ON log_entry FROM :app;
