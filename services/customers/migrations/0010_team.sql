-- Working on a customer together: collaborators, and handoffs.

ALTER TABLE ownership
    DROP CONSTRAINT ownership_cause_check,
    ADD CONSTRAINT ownership_cause_check
        CHECK (cause IN ('enter', 'claim', 'assign', 'transfer', 'handoff', 'release', 'open', 'move', 'take_back', 'dispute'));

CREATE TABLE team (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL CONSTRAINT team_customer_key UNIQUE,
    agency_id   uuid NOT NULL,
    version     integer NOT NULL CHECK (version > 0),
    CONSTRAINT team_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id) ON UPDATE CASCADE
);
COMMENT ON TABLE team IS 'Counts the changes of who works on a customer besides its holder; none before the first. Its id is made of the customer''s.';

CREATE TABLE collaborator (
    customer_id uuid NOT NULL,
    person_id   uuid NOT NULL,
    agency_id   uuid NOT NULL,
    part        text NOT NULL CHECK (part IN ('account_manager', 'support', 'presales', 'other')),
    rights      text[] NOT NULL CHECK (rights <@ ARRAY['note', 'read', 'update'] AND 'read' = ANY (rights)),
    until       timestamptz,
    given_by    uuid NOT NULL,
    given_at    timestamptz NOT NULL,
    PRIMARY KEY (customer_id, person_id),
    CONSTRAINT collaborator_given_by_another CHECK (person_id <> given_by),
    CONSTRAINT collaborator_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id) ON UPDATE CASCADE
);
CREATE INDEX collaborator_person ON collaborator (person_id, customer_id);
COMMENT ON TABLE collaborator IS 'Who works on a customer that somebody else holds. A change of hands ends them, unless they are kept.';
COMMENT ON COLUMN collaborator.until IS
    'From this moment on the rights count no more, by the predicate that reads them; the row goes with the next change.';

CREATE TABLE handoff (
    id                 uuid PRIMARY KEY,
    version            integer NOT NULL CHECK (version > 0),
    customer_id        uuid NOT NULL CONSTRAINT handoff_customer_id_fkey REFERENCES customer,
    agency_id          uuid NOT NULL,
    name               text NOT NULL,
    holding            integer NOT NULL CHECK (holding > 0),
    part               text NOT NULL CHECK (part IN ('account_manager', 'support', 'sales')),
    note               text,
    keep_as            text CHECK (keep_as IN ('account_manager', 'support', 'presales', 'other')),
    keep_collaborators boolean NOT NULL,
    state              text NOT NULL CHECK (state IN ('open', 'accepted', 'refused', 'withdrawn', 'lapsed')),
    from_id            uuid NOT NULL,
    to_id              uuid NOT NULL,
    offered_by         uuid NOT NULL,
    offered_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    closed_by          uuid,
    closed_at          timestamptz,
    reason             text,
    CONSTRAINT handoff_to_another CHECK (to_id NOT IN (from_id, offered_by)),
    CONSTRAINT handoff_order CHECK (expires_at > offered_at),
    CONSTRAINT handoff_closed CHECK ((state = 'open') = (closed_at IS NULL)),
    CONSTRAINT handoff_answered CHECK ((state IN ('open', 'lapsed')) = (closed_by IS NULL)),
    CONSTRAINT handoff_refused CHECK ((state = 'refused') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX handoff_open ON handoff (customer_id) WHERE state = 'open';
CREATE INDEX handoff_due ON handoff (expires_at) WHERE state = 'open';
CREATE INDEX handoff_customer ON handoff (customer_id, id);
CREATE INDEX handoff_from ON handoff (from_id, id);
CREATE INDEX handoff_to ON handoff (to_id, id);
CREATE INDEX handoff_agency ON handoff (agency_id, id);
COMMENT ON COLUMN handoff.agency_id IS 'Of that holder and that receiver, wherever the customer goes afterwards.';
COMMENT ON COLUMN handoff.name IS 'The customer''s when it was offered: the receiver does not see the customer before he has accepted.';
COMMENT ON COLUMN handoff.holding IS 'The holder''s, in ownership; when another one begins the handoff lapses.';
COMMENT ON COLUMN handoff.from_id IS 'Who held the customer; offered_by is he or who oversees him.';
COMMENT ON COLUMN handoff.keep_as IS 'The part that he keeps as a collaborator afterwards.';
COMMENT ON COLUMN handoff.expires_at IS 'From this moment on it has lapsed, whatever state says; state follows within seconds.';

CALL wall_off('team');
CALL wall_off('collaborator');
CALL wall_off('handoff');

CREATE FUNCTION is_handoff(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM handoff WHERE id = an_id)';
COMMENT ON FUNCTION is_handoff IS 'As is_pool.';

REVOKE DELETE ON team, handoff FROM :app;
