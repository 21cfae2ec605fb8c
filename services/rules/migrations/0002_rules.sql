-- More is followed now than before: all is built anew from the events, which their senders keep; the sweep asks for every one.
TRUNCATE holding, contact;
DELETE FROM inbox;
DELETE FROM event_cursor;

ALTER TABLE holding
    ALTER COLUMN owner_id DROP NOT NULL,
    ADD COLUMN agency_id  uuid NOT NULL,
    ADD COLUMN name       text NOT NULL,
    ADD COLUMN holding    integer NOT NULL CHECK (holding > 0),
    ADD COLUMN held_since timestamptz,
    ADD COLUMN source     text NOT NULL;
COMMENT ON COLUMN holding.owner_id IS 'Nobody''s when it lies in a pool.';
COMMENT ON COLUMN holding.holding IS 'Counts the holders of the customer, pools included.';
COMMENT ON COLUMN holding.entered_by IS 'Of a customer that came into somebody''s stock by its entry; what is entered into a pool counts for nobody.';

ALTER TABLE contact
    ADD COLUMN agency_id  uuid NOT NULL,
    ADD COLUMN holding    integer CHECK (holding > 0),
    ADD COLUMN written_at timestamptz NOT NULL;
CREATE INDEX contact_customer ON contact (customer_id, person_id);

CREATE TABLE deadline (
    id               uuid PRIMARY KEY,
    customer_id      uuid NOT NULL,
    holding          integer NOT NULL CHECK (holding > 0),
    agency_id        uuid NOT NULL,
    customer_name    text,
    owner_id         uuid,
    received_at      timestamptz,
    due_at           timestamptz,
    first_contact_at timestamptz,
    verdict          text CHECK (verdict IN ('met', 'late', 'missed')),
    is_forfeited     boolean NOT NULL DEFAULT false,
    moved_on_at      timestamptz,
    is_taken_back    boolean NOT NULL DEFAULT false,
    state            text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'met', 'late', 'missed', 'taken_back', 'gone')),
    CONSTRAINT deadline_holding_key UNIQUE (customer_id, holding)
);
CREATE INDEX deadline_owner ON deadline (owner_id, id);
CREATE INDEX deadline_agency ON deadline (agency_id, id);
CREATE INDEX deadline_open ON deadline (due_at) WHERE state = 'open';
CREATE INDEX deadline_forfeited ON deadline (due_at) WHERE state = 'missed' AND is_forfeited AND moved_on_at IS NULL;
COMMENT ON TABLE deadline IS
    'What is known of each holding of a web-registered member. Facts come in any order, so a row may begin with any of them; it is a
    deadline once somebody is known to have received the customer (due_at and received_at). The state follows from the facts.';
COMMENT ON COLUMN deadline.moved_on_at IS 'When the next holding began.';
COMMENT ON COLUMN deadline.due_at IS 'By the policy when it was received, or as activities judged it.';

CREATE TABLE stock_limit (
    id            uuid PRIMARY KEY,
    version       integer NOT NULL CHECK (version > 0),
    agency_id     uuid NOT NULL,
    subject       text NOT NULL,
    role          text,
    department_id uuid,
    person_id     uuid,
    "limit"       integer CHECK ("limit" >= 0),
    CONSTRAINT stock_limit_subject_key UNIQUE NULLS NOT DISTINCT (agency_id, subject, role, department_id, person_id),
    CONSTRAINT stock_limit_subject CHECK (
        subject IN ('agency', 'role', 'department', 'person')
        AND (role IS NOT NULL) = (subject = 'role')
        AND (department_id IS NOT NULL) = (subject = 'department')
        AND (person_id IS NOT NULL) = (subject = 'person'))
);
COMMENT ON COLUMN stock_limit."limit" IS 'NULL when it was removed: the row stays, as its versions go on.';

CREATE TABLE follow_up_policy (
    agency_id uuid PRIMARY KEY,
    version   integer NOT NULL CHECK (version > 0),
    hours     integer NOT NULL CHECK (hours > 0),
    on_missed text NOT NULL CHECK (on_missed IN ('take_back', 'list'))
);

CREATE TABLE allowance (
    person_id  uuid PRIMARY KEY,
    agency_id  uuid NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    "limit"    integer NOT NULL CHECK ("limit" >= 0),
    decided_by text NOT NULL
);
CREATE INDEX allowance_agency ON allowance (agency_id);
COMMENT ON TABLE allowance IS
    'What each person may hold, as decided from the limits. Written under the lock of the agency''s policies alone, so that a change of
    a limit and one of a person cannot pass each other.';

CALL wall_off('holding');
CALL wall_off('contact');
CALL wall_off('deadline');
CALL wall_off('stock_limit');
CALL wall_off('follow_up_policy');
CALL wall_off('allowance');
