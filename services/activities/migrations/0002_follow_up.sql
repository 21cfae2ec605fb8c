-- Who belongs where was not followed before: the sweep asks identity for all of its events again, and the log skips what it has.
DELETE FROM event_cursor WHERE source = 'identity';

ALTER TABLE contact_note ADD COLUMN author_name text NOT NULL DEFAULT '', ADD COLUMN holding integer CHECK (holding > 0);
ALTER TABLE contact_note ALTER COLUMN author_name DROP DEFAULT;
CREATE INDEX contact_note_holding ON contact_note (customer_id, holding, written_at);
COMMENT ON COLUMN contact_note.holding IS 'Under which holder of the customer it was written; older notes do not say.';

ALTER TABLE log_entry DROP CONSTRAINT log_entry_version_key;
ALTER TABLE log_entry ADD CONSTRAINT log_entry_version_key UNIQUE (source, aggregate_id, version);
CREATE INDEX log_entry_aggregate ON log_entry (aggregate_id, id);
COMMENT ON CONSTRAINT log_entry_version_key ON log_entry IS
    'The same id may be an aggregate of two services: a person of identity''s, his allowance of rules''.';

CREATE TABLE follow_up (
    customer_id   uuid NOT NULL,
    agency_id     uuid NOT NULL,
    holding       integer NOT NULL CHECK (holding > 0),
    owner_id      uuid NOT NULL,
    first_note_at timestamptz,
    last_note_at  timestamptz,
    due           timestamptz,
    verdict       text CHECK (verdict IN ('met', 'late', 'missed')),
    is_forfeited  boolean NOT NULL,
    PRIMARY KEY (customer_id, agency_id),
    CONSTRAINT follow_up_closed CHECK ((verdict IS NULL) = (due IS NULL)),
    CONSTRAINT follow_up_forfeited CHECK (NOT is_forfeited OR verdict = 'missed')
);
COMMENT ON TABLE follow_up IS
    'How the present holder follows a customer up. Locked by every note and by whoever closes a deadline, so that a note in the last
    second wins or loses once. One row per agency, as a wall between them hides the row of another one that had the customer before.';
COMMENT ON COLUMN follow_up.holding IS 'A newer holder''s first note renews the row; what belongs to an older one is refused.';
COMMENT ON COLUMN follow_up.is_forfeited IS 'The holder may write no more notes: the customer is about to be taken back.';

CALL wall_off('contact_note');
CALL wall_off('follow_up');
CALL wall_off('log_entry');
