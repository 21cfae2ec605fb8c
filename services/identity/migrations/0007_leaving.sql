-- Accounts that nobody uses, by calendar days; leaving with handover.

CREATE TABLE inactivity_policy (
    id          uuid PRIMARY KEY,
    agency_id   uuid NOT NULL CONSTRAINT inactivity_policy_agency_key UNIQUE
                CONSTRAINT inactivity_policy_agency_id_fkey REFERENCES agency,
    version     integer NOT NULL CHECK (version > 0),
    days        integer CHECK (days > 0),
    notice_days integer CHECK (notice_days >= 0)
);
COMMENT ON TABLE inactivity_policy IS 'Headquarters'' holds for all; what another agency has set counts where it is stricter.';
COMMENT ON COLUMN inactivity_policy.days IS 'Whole calendar days without a log-in after which an account is locked.';

CREATE TABLE inactivity_notice (
    id        uuid PRIMARY KEY,
    person_id uuid NOT NULL CONSTRAINT inactivity_notice_person_key UNIQUE
              CONSTRAINT inactivity_notice_person_id_fkey REFERENCES person,
    agency_id uuid NOT NULL,
    version   integer NOT NULL CHECK (version > 0),
    active_at timestamptz NOT NULL,
    at        timestamptz NOT NULL
);
COMMENT ON TABLE inactivity_notice IS 'The last time that somebody''s lock was told of in advance; version counts these times.';
COMMENT ON COLUMN inactivity_notice.active_at IS 'From when on he had been away: of the same absence nothing is told again.';

CREATE TABLE leaving (
    id             uuid PRIMARY KEY,
    version        integer NOT NULL CHECK (version > 0),
    person_id      uuid NOT NULL CONSTRAINT leaving_person_id_fkey REFERENCES person,
    agency_id      uuid NOT NULL,
    person_version integer NOT NULL CHECK (person_version > 0),
    status         text NOT NULL CHECK (status IN ('planned', 'running', 'done', 'with_leftovers')),
    plan           jsonb NOT NULL,
    round          integer NOT NULL CHECK (round > 0),
    ordered_by     uuid NOT NULL,
    ordered_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    CONSTRAINT leaving_finished CHECK ((status IN ('done', 'with_leftovers')) = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX leaving_under_way ON leaving (person_id) WHERE finished_at IS NULL;
CREATE INDEX leaving_person ON leaving (person_id, id);
CREATE INDEX leaving_agency ON leaving (agency_id, id);
COMMENT ON COLUMN leaving.person_version IS 'The person''s when the account was shut for it.';
COMMENT ON COLUMN leaving.round IS 'How often it was gone through; services report which round they mean.';

CREATE TABLE leaving_part (
    leaving_id uuid NOT NULL CONSTRAINT leaving_part_leaving_id_fkey REFERENCES leaving,
    service    text NOT NULL,
    agency_id  uuid NOT NULL,
    version    integer NOT NULL CHECK (version >= 0),
    round      integer NOT NULL CHECK (round >= 0),
    state      text CHECK (state IN ('running', 'done', 'with_leftovers')),
    counts     jsonb NOT NULL,
    PRIMARY KEY (leaving_id, service),
    CONSTRAINT leaving_part_begun CHECK ((state IS NULL) = (version = 0))
);
COMMENT ON TABLE leaving_part IS 'Who takes part in a leaving, and what each has reported last.';
COMMENT ON COLUMN leaving_part.version IS 'Of the last report; 0 before the first.';

CALL wall_off('inactivity_policy');
CALL wall_off('inactivity_notice');
CALL wall_off('leaving');
CALL wall_off('leaving_part');

-- What headquarters has set holds for every agency, so each may read it.
CREATE POLICY headquarters_counts ON inactivity_policy FOR SELECT TO :app USING (
    agency_id = (SELECT id FROM agency WHERE is_headquarters));

-- A window in the wall, as the others.
CREATE FUNCTION has_leaving(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM leaving WHERE id = an_id)';
REVOKE EXECUTE ON FUNCTION has_leaving(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION has_leaving(uuid) TO :app;

REVOKE DELETE ON inactivity_policy, inactivity_notice, leaving, leaving_part FROM :app;
