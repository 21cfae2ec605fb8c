CREATE TABLE customer (
    id             uuid PRIMARY KEY,
    version        integer NOT NULL CHECK (version > 0),
    name           text NOT NULL,
    name_key       text NOT NULL CONSTRAINT customer_name_key UNIQUE,
    phone          text,
    city           text,
    contact_person text,
    is_key         boolean NOT NULL,
    agency_id      uuid NOT NULL,
    department_id  uuid NOT NULL,
    owner_id       uuid NOT NULL,
    owner_name     text NOT NULL,
    entered_at     timestamptz NOT NULL
);
CREATE INDEX customer_owner ON customer (owner_id, id);
CREATE INDEX customer_department ON customer (department_id, id);
CREATE INDEX customer_agency ON customer (agency_id, id);
COMMENT ON COLUMN customer.name_key IS 'The name without width, case and blanks: two customers never share it.';

CREATE TABLE entry_attempt (
    id          uuid PRIMARY KEY,
    at          timestamptz NOT NULL,
    person_id   uuid NOT NULL,
    agency_id   uuid NOT NULL,
    name        text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('bound_to_yours', 'refused')),
    customer_id uuid NOT NULL REFERENCES customer
);
CREATE INDEX entry_attempt_customer ON entry_attempt (customer_id, at);
COMMENT ON TABLE entry_attempt IS 'Entries that met an existing customer.';
