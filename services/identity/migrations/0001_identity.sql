CREATE TABLE agency (
    id              uuid PRIMARY KEY,
    name            text NOT NULL CONSTRAINT agency_name_key UNIQUE,
    is_headquarters boolean NOT NULL,
    version         integer NOT NULL CHECK (version > 0),
    created_at      timestamptz NOT NULL
);
CREATE UNIQUE INDEX agency_one_headquarters ON agency (is_headquarters) WHERE is_headquarters;

CREATE TABLE department (
    id         uuid PRIMARY KEY,
    agency_id  uuid NOT NULL REFERENCES agency,
    parent_id  uuid,
    name       text NOT NULL,
    path       text NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    CONSTRAINT department_name_key UNIQUE (agency_id, name),
    CONSTRAINT department_in_agency UNIQUE (id, agency_id),
    CONSTRAINT department_parent_fkey FOREIGN KEY (parent_id, agency_id) REFERENCES department (id, agency_id)
);
COMMENT ON COLUMN department.path IS 'Ids from the root down to this one, joined by dots.';
COMMENT ON CONSTRAINT department_parent_fkey ON department IS 'A parent is of the same agency.';

CREATE TABLE person (
    id            uuid PRIMARY KEY,
    login         text NOT NULL CONSTRAINT person_login_key UNIQUE CHECK (login = lower(login)),
    display_name  text NOT NULL,
    agency_id     uuid NOT NULL,
    department_id uuid NOT NULL,
    roles         text[] NOT NULL CHECK (cardinality(roles) > 0),
    password_hash text CHECK (password_hash LIKE '$argon2id$%'),
    version       integer NOT NULL CHECK (version > 0),
    created_at    timestamptz NOT NULL,
    CONSTRAINT person_department_fkey FOREIGN KEY (department_id, agency_id) REFERENCES department (id, agency_id)
);
CREATE INDEX person_agency ON person (agency_id, id);
COMMENT ON COLUMN person.password_hash IS 'Absent until the person has chosen a password.';
COMMENT ON CONSTRAINT person_department_fkey ON person IS 'The home department is of the person''s agency.';

CREATE TABLE one_time_code (
    person_id  uuid PRIMARY KEY REFERENCES person,
    digest     text NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE one_time_code IS 'Opens sessions that may only set a password; gone once that is done.';

CREATE TABLE session (
    id           uuid PRIMARY KEY,
    person_id    uuid NOT NULL REFERENCES person,
    token_digest text NOT NULL CONSTRAINT session_token_key UNIQUE,
    by_code      boolean NOT NULL,
    opened_at    timestamptz NOT NULL,
    used_at      timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz
);
CREATE INDEX session_person ON session (person_id) WHERE ended_at IS NULL;
COMMENT ON COLUMN session.token_digest IS 'SHA-256 of the token, which stands nowhere.';
COMMENT ON COLUMN session.by_code IS 'Opened with a one-time code: may only set a password.';
COMMENT ON COLUMN session.used_at IS 'Within a minute; after 30 idle ones the session is over.';
