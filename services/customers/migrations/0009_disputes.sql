-- Disputes: who was refused an entry appeals with evidence, the holder answers, and somebody who is no party decides.

ALTER TABLE ownership
    DROP CONSTRAINT ownership_cause_check,
    ADD CONSTRAINT ownership_cause_check
        CHECK (cause IN ('enter', 'claim', 'assign', 'transfer', 'release', 'open', 'take_back', 'dispute'));

CREATE TABLE dispute (
    id               uuid PRIMARY KEY,
    version          integer NOT NULL CHECK (version > 0),
    state            text NOT NULL CHECK (state IN ('open', 'upheld', 'dismissed', 'withdrawn')),
    attempt_id       uuid NOT NULL CONSTRAINT dispute_attempt_id_fkey REFERENCES entry_attempt,
    customer_id      uuid NOT NULL CONSTRAINT dispute_customer_id_fkey REFERENCES customer,
    name             text NOT NULL,
    agency_id        uuid NOT NULL,
    claimant_id      uuid NOT NULL,
    holder_agency_id uuid NOT NULL,
    holder_id        uuid,
    pool_kind        text,
    holding          integer NOT NULL CHECK (holding > 0),
    entered_by       uuid NOT NULL,
    opened_at        timestamptz NOT NULL,
    due_at           timestamptz NOT NULL,
    answered_at      timestamptz,
    decided_by       uuid,
    decided_at       timestamptz,
    reason           text,
    placed_as        integer,
    CONSTRAINT dispute_one_holder CHECK ((holder_id IS NULL) <> (pool_kind IS NULL)),
    CONSTRAINT dispute_due CHECK (due_at > opened_at),
    CONSTRAINT dispute_closed CHECK ((state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)),
    CONSTRAINT dispute_reasoned CHECK ((state IN ('upheld', 'dismissed')) = (reason IS NOT NULL)),
    CONSTRAINT dispute_placed CHECK ((state = 'upheld') = (placed_as IS NOT NULL))
);
CREATE UNIQUE INDEX dispute_of_attempt ON dispute (attempt_id) WHERE state <> 'withdrawn';
CREATE UNIQUE INDEX dispute_of_customer ON dispute (customer_id, claimant_id) WHERE state = 'open';
CREATE INDEX dispute_claimant ON dispute (claimant_id, id);
CREATE INDEX dispute_holder ON dispute (holder_id, id) WHERE holder_id IS NOT NULL;
CREATE INDEX dispute_agency ON dispute (agency_id, id);
CREATE INDEX dispute_holder_agency ON dispute (holder_agency_id, id);
COMMENT ON TABLE dispute IS 'Appeals against refused entries. An attempt is disputed once, unless that was withdrawn.';
COMMENT ON COLUMN dispute.name IS 'Of the customer, as the collision check told it to the claimant.';
COMMENT ON COLUMN dispute.agency_id IS 'Of the claimant.';
COMMENT ON COLUMN dispute.holder_id IS 'Who held the customer when the dispute was opened; of one in a pool pool_kind says in which.';
COMMENT ON COLUMN dispute.holding IS 'The number of that stretch of its ownership.';
COMMENT ON COLUMN dispute.entered_by IS 'Who has entered the customer: a party, too, who does not decide.';
COMMENT ON COLUMN dispute.due_at IS 'By when it is to be decided; a later decision counts all the same.';
COMMENT ON COLUMN dispute.decided_by IS 'Of one withdrawn, the claimant.';
COMMENT ON COLUMN dispute.placed_as IS 'Of one upheld: the stretch of ownership by which the customer has come to the claimant.';

CREATE TABLE dispute_statement (
    dispute_id uuid NOT NULL CONSTRAINT dispute_statement_dispute_id_fkey REFERENCES dispute,
    side       text NOT NULL CHECK (side IN ('claimant', 'holder')),
    agency_id  uuid NOT NULL,
    person_id  uuid NOT NULL,
    at         timestamptz NOT NULL,
    text       text NOT NULL,
    evidence   jsonb NOT NULL,
    PRIMARY KEY (dispute_id, side)
);
COMMENT ON TABLE dispute_statement IS 'What each side says, once. Behind the wall of who says it: the other agency never reads it.';

CALL wall_off('dispute');
CALL wall_off('dispute_statement');

-- A dispute concerns up to two agencies: the holder's sees it as well, and notes there that it has answered. It opens none.
CREATE POLICY other_side_sees ON dispute FOR SELECT TO :app USING (
    holder_agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid));
CREATE POLICY other_side_answers ON dispute FOR UPDATE TO :app USING (
    holder_agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid));

REVOKE DELETE ON dispute FROM :app;
REVOKE UPDATE, DELETE ON dispute_statement FROM :app;


-- --- through the wall, on purpose and narrowly

CREATE FUNCTION met_by_attempt(
    an_attempt uuid, OUT customer_id uuid, OUT name text, OUT agency_id uuid, OUT owner_id uuid, OUT pool_kind text,
    OUT holding integer, OUT entered_by uuid
)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.id, c.name, c.agency_id, c.owner_id, pool.kind, c.holding, c.entered_by
    FROM entry_attempt AS a
    JOIN customer AS c ON c.id = a.customer_id
    LEFT JOIN pool ON pool.id = c.pool_id
    WHERE a.id = an_attempt AND a.outcome = 'refused' AND current_setting('qudao.agency') IN ('*', a.agency_id::text)
$$;
COMMENT ON FUNCTION met_by_attempt IS
    'Which customer refused an attempt of the own agency, of whatever agency it is, and whose it is now: the parties of a dispute.';

CREATE FUNCTION is_attempt(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM entry_attempt WHERE id = an_id)';
COMMENT ON FUNCTION is_attempt IS 'As is_pool.';

CREATE FUNCTION is_dispute(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM dispute WHERE id = an_id)';
COMMENT ON FUNCTION is_dispute IS 'As is_pool.';
