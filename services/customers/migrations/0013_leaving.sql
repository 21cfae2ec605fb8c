-- Leaving with handover: what somebody who leaves has held goes to colleagues or to the agency pool.

ALTER TABLE ownership
    DROP CONSTRAINT ownership_cause_check,
    ADD CONSTRAINT ownership_cause_check CHECK (cause IN (
        'enter', 'claim', 'assign', 'transfer', 'handoff', 'release', 'open', 'move', 'take_back', 'dispute', 'leaving'));

ALTER TABLE stock
    ADD COLUMN is_closed boolean NOT NULL DEFAULT false,
    ADD COLUMN person_version integer NOT NULL DEFAULT 0;
UPDATE stock SET is_closed = person.status = 'disabled', person_version = person.version
FROM person WHERE person.id = stock.person_id;
COMMENT ON COLUMN stock.is_closed IS 'Nothing comes into it: the account is disabled. Looked at under the lock that every change of hands takes.';
COMMENT ON COLUMN stock.person_version IS 'The person''s that says so; what is older is not heeded any more.';

CREATE TABLE handover (
    id          uuid PRIMARY KEY,
    version     integer NOT NULL CHECK (version > 0),
    person_id   uuid NOT NULL,
    agency_id   uuid NOT NULL,
    round       integer NOT NULL CHECK (round > 0),
    state       text NOT NULL CHECK (state IN ('running', 'done', 'with_leftovers')),
    plan        jsonb NOT NULL,
    finished_at timestamptz,
    CONSTRAINT handover_finished CHECK ((state = 'running') = (finished_at IS NULL))
);
CREATE INDEX handover_running ON handover (id) WHERE state = 'running';
CREATE INDEX handover_person ON handover (person_id);
COMMENT ON TABLE handover IS 'What is to be done here of a leaving, whose id it has; identity keeps the leaving itself.';
COMMENT ON COLUMN handover.version IS 'Counts its reports.';

CREATE TABLE handover_item (
    id          uuid PRIMARY KEY,
    handover_id uuid NOT NULL CONSTRAINT handover_item_handover_id_fkey REFERENCES handover,
    agency_id   uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('customer', 'collaboration', 'handoff', 'dispute', 'entry', 'pool', 'territory')),
    item_id     uuid NOT NULL,
    name        text,
    outcome     text NOT NULL CHECK (outcome IN ('handed_over', 'to_pool', 'not_held', 'ended', 'left')),
    to_id       uuid,
    reason      text,
    round       integer NOT NULL CHECK (round > 0),
    at          timestamptz NOT NULL,
    CONSTRAINT handover_item_key UNIQUE (handover_id, kind, item_id),
    CONSTRAINT handover_item_received CHECK ((outcome = 'handed_over') = (to_id IS NOT NULL))
);
COMMENT ON COLUMN handover_item.name IS 'The customer''s or the pool''s when it was gone through.';
COMMENT ON COLUMN handover_item.reason IS 'Why no receiver could hold it, or what is in the way.';

CREATE TABLE handover_receiver (
    id          uuid PRIMARY KEY,
    handover_id uuid NOT NULL CONSTRAINT handover_receiver_handover_id_fkey REFERENCES handover,
    person_id   uuid NOT NULL,
    agency_id   uuid NOT NULL,
    customers   integer NOT NULL CHECK (customers > 0),
    told        integer NOT NULL CONSTRAINT handover_receiver_told_check CHECK (told BETWEEN 0 AND customers),
    version     integer NOT NULL CHECK (version >= 0),
    CONSTRAINT handover_receiver_key UNIQUE (handover_id, person_id)
);
COMMENT ON TABLE handover_receiver IS 'How many customers each colleague has got, by which it is known whose turn it is.';
COMMENT ON COLUMN handover_receiver.told IS 'How many he has been told of; version counts these events.';

CALL wall_off('handover');
CALL wall_off('handover_item');
CALL wall_off('handover_receiver');

REVOKE DELETE ON handover, handover_item, handover_receiver FROM :app;
