CREATE TABLE agency (
    id              uuid PRIMARY KEY,
    name            text NOT NULL,
    is_headquarters boolean NOT NULL,
    version         integer NOT NULL CHECK (version > 0)
);

CREATE TABLE department (
    id        uuid PRIMARY KEY,
    agency_id uuid NOT NULL,
    name      text NOT NULL,
    ancestors uuid[] NOT NULL,
    version   integer NOT NULL CHECK (version > 0)
);
CREATE INDEX department_below ON department USING gin (ancestors);
COMMENT ON COLUMN department.ancestors IS 'From the root down to this one, itself included: whoever oversees one of them oversees it.';

CREATE TABLE person (
    id                     uuid PRIMARY KEY,
    agency_id              uuid NOT NULL,
    department_id          uuid NOT NULL,
    managed_department_ids uuid[] NOT NULL,
    display_name           text NOT NULL,
    roles                  text[] NOT NULL,
    status                 text NOT NULL CHECK (status IN ('active', 'locked', 'disabled')),
    version                integer NOT NULL CHECK (version > 0)
);
CREATE INDEX person_department ON person (department_id, id);
CREATE INDEX person_agency ON person (agency_id, id);
COMMENT ON TABLE person IS 'Copies of identity''s, as are agency and department; a newer version wins, whatever the order in which they come.';
