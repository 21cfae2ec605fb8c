-- Which fields of customers who sees, and who has had a masked one revealed.

CREATE TABLE field_policy (
    version integer PRIMARY KEY CHECK (version > 0),
    policy  jsonb NOT NULL,
    set_by  text NOT NULL,
    set_at  timestamptz NOT NULL
);
COMMENT ON TABLE field_policy IS 'Every version that headquarters has set; the highest is in force, without one the defaults.';
REVOKE UPDATE, DELETE ON field_policy FROM :app;

CREATE TABLE reveal (
    id          uuid PRIMARY KEY,
    agency_id   uuid NOT NULL,
    customer_id uuid NOT NULL CONSTRAINT reveal_customer_id_fkey REFERENCES customer,
    person_id   uuid NOT NULL,
    field       text NOT NULL CHECK (field IN ('phone', 'fax', 'email')),
    reason      text NOT NULL,
    at          timestamptz NOT NULL,
    day         date NOT NULL,
    is_counted  boolean NOT NULL
);
CREATE UNIQUE INDEX reveal_counted ON reveal (person_id, day, customer_id, field) WHERE is_counted;
CREATE INDEX reveal_person ON reveal (person_id, id);
CREATE INDEX reveal_agency ON reveal (agency_id, id);
CREATE INDEX reveal_customer ON reveal (customer_id, id);
COMMENT ON TABLE reveal IS 'Who has had a masked field of a customer shown, and why; never what it was.';
COMMENT ON COLUMN reveal.agency_id IS 'Of the customer at that time; who revealed it may be of headquarters.';
COMMENT ON COLUMN reveal.day IS 'The local day by which the daily limit counts.';
COMMENT ON COLUMN reveal.is_counted IS 'The same field of the same customer counts once a day for each person.';
CALL wall_off('reveal');
REVOKE UPDATE, DELETE ON reveal FROM :app;

CREATE TABLE reveal_count (
    person_id uuid NOT NULL,
    day       date NOT NULL,
    agency_id uuid NOT NULL,
    revealed  integer NOT NULL CHECK (revealed >= 0),
    PRIMARY KEY (person_id, day)
);
COMMENT ON TABLE reveal_count IS 'How many reveals of a person count on a day: the row that those who reveal at once wait for.';
COMMENT ON COLUMN reveal_count.agency_id IS 'Of the person.';
CALL wall_off('reveal_count');
REVOKE DELETE ON reveal_count FROM :app;
