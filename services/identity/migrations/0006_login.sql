-- By which names one logs in, sessions that can be looked over, tokens of programs, the second factor, preferences, and the
-- settings of all that.

ALTER TABLE person
    ADD COLUMN staff_no text CHECK (staff_no = lower(staff_no) AND strpos(staff_no, '@') = 0),
    ADD COLUMN email text CHECK (email = lower(email) AND strpos(email, '@') > 1),
    ADD COLUMN title text,
    ADD COLUMN phone text,
    ADD COLUMN password_set_at timestamptz;
UPDATE person SET password_set_at = clock() WHERE password_hash IS NOT NULL;
COMMENT ON COLUMN person.password_set_at IS 'From when an expiry counts; of passwords from before this column, when it came.';

CREATE TABLE identifier (
    name      text PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person
);
CREATE INDEX identifier_person ON identifier (person_id);
COMMENT ON TABLE identifier IS
    'Logins, staff numbers and e-mail addresses, of whichever kind: a name that is typed to log in is never two people''s.';

CREATE FUNCTION keep_identifiers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    names text[] := array_remove(ARRAY[NEW.login, NEW.staff_no, NEW.email], NULL);
BEGIN
    DELETE FROM identifier WHERE person_id = NEW.id AND name <> ALL (names);
    INSERT INTO identifier (name, person_id)
    SELECT DISTINCT given.name, NEW.id FROM unnest(names) AS given (name)
    WHERE NOT EXISTS (SELECT FROM identifier AS own WHERE own.name = given.name AND own.person_id = NEW.id);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION keep_identifiers() FROM PUBLIC;
INSERT INTO identifier (name, person_id) SELECT login, id FROM person;
CREATE TRIGGER person_identifiers AFTER INSERT OR UPDATE OF login, staff_no, email ON person
    FOR EACH ROW EXECUTE FUNCTION keep_identifiers();
REVOKE INSERT, UPDATE, DELETE ON identifier FROM :app;

CREATE OR REPLACE FUNCTION has_login(a_login text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS 'SELECT EXISTS (SELECT FROM identifier WHERE name = a_login)';
COMMENT ON FUNCTION has_login IS 'As login, staff number or e-mail address, across agencies.';

ALTER TABLE session
    ADD COLUMN client text,
    ADD COLUMN address text;
COMMENT ON COLUMN session.client IS 'The kind of program, such as "Firefox on Windows".';
COMMENT ON COLUMN session.address IS 'Only the network: 203.0.113.*';
COMMENT ON COLUMN session.by_code IS 'Opened with a one-time code or an expired password: may only set a password.';
COMMENT ON COLUMN session.token_digest IS 'SHA-256 of the token, which stands nowhere; another one once the password has changed.';
COMMENT ON COLUMN session.used_at IS 'Within a minute; after the idle limit of login_settings the session is over.';

CREATE TABLE login_settings (
    agency_id       uuid PRIMARY KEY REFERENCES agency,
    is_headquarters boolean NOT NULL,
    captcha_always  boolean NOT NULL,
    idle_minutes    integer CHECK (idle_minutes BETWEEN 5 AND 480),
    session_hours   integer CHECK (session_hours BETWEEN 1 AND 72),
    max_sessions    integer CHECK (max_sessions BETWEEN 1 AND 100),
    password_days   integer CHECK (password_days BETWEEN 30 AND 730),
    factor_roles    text[] NOT NULL,
    version         integer NOT NULL CHECK (version > 0)
);
CREATE UNIQUE INDEX login_settings_headquarters ON login_settings (is_headquarters) WHERE is_headquarters;
COMMENT ON COLUMN login_settings.factor_roles IS 'Who has one of them may do nothing before he has a second factor.';
COMMENT ON TABLE login_settings IS 'Of headquarters for all, of an agency for its own people besides: the stricter one counts.';
CALL wall_off('login_settings');
REVOKE DELETE ON login_settings FROM :app;

CREATE FUNCTION headquarters_login_settings() RETURNS SETOF login_settings LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS 'SELECT * FROM login_settings WHERE is_headquarters';
COMMENT ON FUNCTION headquarters_login_settings IS 'A window in the wall: they count for everybody.';
REVOKE EXECUTE ON FUNCTION headquarters_login_settings() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headquarters_login_settings() TO :app;

CREATE TABLE api_token (
    id           uuid PRIMARY KEY,
    person_id    uuid NOT NULL REFERENCES person,
    name         text NOT NULL,
    token_digest text NOT NULL CONSTRAINT api_token_key UNIQUE,
    permissions  text[] NOT NULL CHECK (cardinality(permissions) > 0),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at),
    used_at      timestamptz,
    revoked_at   timestamptz
);
CREATE UNIQUE INDEX api_token_name ON api_token (person_id, name) WHERE revoked_at IS NULL;
CREATE INDEX api_token_person ON api_token (person_id, id);
COMMENT ON COLUMN api_token.permissions IS 'At most these; at each use only those that the person still holds, with his scope.';
COMMENT ON COLUMN api_token.token_digest IS 'SHA-256 of the token, which stands nowhere.';
REVOKE DELETE ON api_token FROM :app;

CREATE TABLE second_factor (
    person_id    uuid PRIMARY KEY REFERENCES person,
    secret       text NOT NULL,
    confirmed_at timestamptz,
    last_step    bigint NOT NULL,
    failures     timestamptz[] NOT NULL CHECK (cardinality(failures) <= 5)
);
COMMENT ON COLUMN second_factor.secret IS 'Sealed with a key that is derived from the service''s signing key.';
COMMENT ON COLUMN second_factor.confirmed_at IS 'Asked for at log-ins from then on.';
COMMENT ON COLUMN second_factor.last_step IS 'Of the last code that counted: neither it nor an older one counts again.';
COMMENT ON COLUMN second_factor.failures IS 'The last five since the last success.';

CREATE TABLE recovery_code (
    person_id uuid NOT NULL REFERENCES second_factor ON DELETE CASCADE,
    digest    text NOT NULL,
    used_at   timestamptz,
    PRIMARY KEY (person_id, digest)
);
COMMENT ON COLUMN recovery_code.digest IS 'SHA-256; each counts once, in the place of a code.';

CREATE TABLE preferences (
    person_id uuid PRIMARY KEY REFERENCES person,
    language  text NOT NULL,
    density   text NOT NULL,
    layout    text NOT NULL,
    modules   text[] NOT NULL,
    version   integer NOT NULL CHECK (version > 0)
);
