-- Devices on which somebody has logged in, and failures that make others wait.

CREATE TABLE known_device (
    token_digest text PRIMARY KEY,
    person_id    uuid NOT NULL REFERENCES person,
    known_at     timestamptz NOT NULL,
    used_at      timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > used_at)
);
CREATE INDEX known_device_person ON known_device (person_id, used_at);
COMMENT ON TABLE known_device IS 'Failures on one are counted for it alone: those of strangers do not keep its owner out. Gone with his sessions.';
COMMENT ON COLUMN known_device.token_digest IS 'SHA-256 of the token, which stands nowhere.';
COMMENT ON COLUMN known_device.expires_at IS 'So long after the last log-in on it.';

-- The number of them in a row says what the next try takes, not how many came within a quarter of an hour: who waits that long between
-- two tries would never be asked for a captcha.
-- The column goes with the next release: the one before this may still run, and reads it.
ALTER TABLE login_failures ALTER COLUMN recent SET DEFAULT ARRAY[now()];
COMMENT ON COLUMN login_failures.recent IS 'Nobody reads it any more.';
COMMENT ON TABLE login_failures IS 'Of logins that exist and of others alike; gone with a success, or some time after the last failure.';
COMMENT ON COLUMN login_failures.login_digest IS
    'Keyed HMAC of a person, of a name that nobody has (people type passwords there), of a known device, or of a session in which
    the own password is asked for.';
