ALTER TABLE person
    ADD COLUMN managed_department_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'locked', 'disabled')),
    ADD COLUMN last_login_at timestamptz,
    ADD COLUMN restored_at timestamptz;
UPDATE person SET last_login_at = (SELECT max(opened_at) FROM session WHERE person_id = person.id);
-- Managers of before see what they have seen: the home department counts anyway.
UPDATE person SET managed_department_ids = ARRAY[department_id] WHERE 'manager' = ANY (roles);
ALTER TABLE person
    ADD CONSTRAINT person_managed_check CHECK (('manager' = ANY (roles)) = (cardinality(managed_department_ids) > 0));
CREATE INDEX person_department ON person (department_id, id);
COMMENT ON COLUMN person.managed_department_ids IS 'What a managing account oversees, all of the person''s agency.';
COMMENT ON COLUMN person.status IS 'locked: after long inactivity. disabled: by an administrator.';
COMMENT ON COLUMN person.version IS 'One for each event; neither log-ins nor the own choice of a password count.';
COMMENT ON COLUMN person.restored_at IS 'Inactivity counts from the latest of this, last_login_at and created_at.';

CREATE TABLE login_failures (
    login_digest text PRIMARY KEY,
    recent       timestamptz[] NOT NULL CHECK (cardinality(recent) BETWEEN 1 AND 5),
    in_a_row     integer NOT NULL CHECK (in_a_row > 0),
    last_at      timestamptz NOT NULL
);
CREATE INDEX login_failures_age ON login_failures (last_at);
COMMENT ON TABLE login_failures IS 'Of logins that exist and of others alike; gone with a success, or a day after the last failure.';
COMMENT ON COLUMN login_failures.login_digest IS 'Keyed HMAC: people type passwords where the login belongs.';
COMMENT ON COLUMN login_failures.recent IS 'The last five, in any order.';
COMMENT ON COLUMN login_failures.in_a_row IS 'Since the last success.';

CREATE TABLE used_captcha (
    id           uuid PRIMARY KEY,
    token_digest text NOT NULL,
    used_at      timestamptz NOT NULL
);
CREATE INDEX used_captcha_age ON used_captcha (used_at);
COMMENT ON TABLE used_captcha IS 'Each counts for one try; kept for longer than a captcha is good for.';
COMMENT ON COLUMN used_captcha.token_digest IS 'The try: the same one may come again after a lost connection.';
