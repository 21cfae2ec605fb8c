ALTER TABLE person
    ADD COLUMN supervisor_id uuid,
    ADD COLUMN abilities text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT person_in_agency UNIQUE (id, agency_id),
    ADD CONSTRAINT person_supervisor_fkey FOREIGN KEY (supervisor_id, agency_id) REFERENCES person (id, agency_id),
    ADD CONSTRAINT person_supervisor_check CHECK (supervisor_id <> id),
    DROP CONSTRAINT person_managed_check;
-- Until now there were the built-in roles alone.
UPDATE person SET abilities = array_remove(ARRAY[
    CASE WHEN 'agency_admin' = ANY (roles) THEN 'administers' END,
    CASE WHEN roles && ARRAY['rep', 'supervisor', 'manager'] THEN 'holds' END,
    CASE WHEN 'manager' = ANY (roles) THEN 'oversees' END,
    CASE WHEN 'rep' = ANY (roles) THEN 'sells' END], NULL);
ALTER TABLE person
    ALTER COLUMN abilities DROP DEFAULT,
    ADD CONSTRAINT person_managed_check CHECK (NOT 'oversees' = ANY (abilities) OR cardinality(managed_department_ids) > 0);
CREATE INDEX person_supervisor ON person (supervisor_id);
CREATE INDEX person_roles ON person USING gin (roles);
COMMENT ON COLUMN person.roles IS 'Names of built-in roles, and keys of others.';
COMMENT ON COLUMN person.abilities IS 'What his roles make of him: see `Ability` in services/contracts/permissions.py. Follows a role that is changed.';
COMMENT ON COLUMN person.supervisor_id IS 'Of the same agency. Whoever changes one holds the agency''s lock, so that no circle comes about.';
COMMENT ON CONSTRAINT person_managed_check ON person IS 'A role that counts on managed departments is of no use without any.';

CREATE FUNCTION subordinates_of(leader uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE team (id) AS (
        SELECT id FROM person WHERE supervisor_id = leader
        UNION
        SELECT person.id FROM person JOIN team ON person.supervisor_id = team.id
    )
    SELECT id FROM team
$$;
CREATE FUNCTION supervisors_of(subordinate uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE chain (id) AS (
        SELECT supervisor_id FROM person WHERE id = subordinate AND supervisor_id IS NOT NULL
        UNION
        SELECT supervisor_id FROM person JOIN chain ON person.id = chain.id WHERE supervisor_id IS NOT NULL
    )
    SELECT id FROM chain
$$;

CREATE TABLE role (
    id                   uuid PRIMARY KEY,
    key                  text NOT NULL CONSTRAINT role_key_key UNIQUE CHECK (key = id::text),
    agency_id            uuid NOT NULL CONSTRAINT role_agency_id_fkey REFERENCES agency,
    is_common            boolean NOT NULL,
    name                 text NOT NULL,
    duties               text,
    skills               text,
    performance_standard text,
    grants               jsonb NOT NULL CHECK (jsonb_typeof(grants) = 'array'),
    version              integer NOT NULL CHECK (version > 0),
    created_at           timestamptz NOT NULL,
    archived_at          timestamptz
);
CREATE UNIQUE INDEX role_name ON role (agency_id, name) WHERE archived_at IS NULL;
CREATE INDEX role_common ON role (id) WHERE is_common;
COMMENT ON TABLE role IS 'Besides the built-in ones, which stand in services/contracts/permissions.py.';
COMMENT ON COLUMN role.key IS 'What stands in person.roles.';
COMMENT ON COLUMN role.is_common IS 'Headquarters'' roles may be given in every agency.';
COMMENT ON COLUMN role.grants IS '[{"permission", "scope", "department_ids"}]; departments with the scope `listed` alone.';
CALL wall_off('role');
CREATE POLICY of_headquarters ON role FOR SELECT TO :app USING (is_common);
REVOKE DELETE ON role FROM :app;

CREATE TABLE row_grant (
    id            uuid PRIMARY KEY,
    agency_id     uuid NOT NULL,
    person_id     uuid NOT NULL,
    permission    text NOT NULL,
    department_id uuid,
    about_id      uuid,
    until         timestamptz,
    given_by      uuid NOT NULL,
    given_at      timestamptz NOT NULL,
    withdrawn_by  uuid,
    withdrawn_at  timestamptz,
    version       integer NOT NULL CHECK (version > 0),
    CONSTRAINT row_grant_of_another CHECK (person_id <> given_by),
    CONSTRAINT row_grant_about_one CHECK (num_nonnulls(department_id, about_id) = 1),
    CONSTRAINT row_grant_ends_later CHECK (until > given_at),
    CONSTRAINT row_grant_withdrawn_check CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL)),
    CONSTRAINT row_grant_person_fkey FOREIGN KEY (person_id, agency_id) REFERENCES person (id, agency_id),
    CONSTRAINT row_grant_department_fkey FOREIGN KEY (department_id, agency_id) REFERENCES department (id, agency_id),
    CONSTRAINT row_grant_about_fkey FOREIGN KEY (about_id, agency_id) REFERENCES person (id, agency_id)
);
CREATE INDEX row_grant_person ON row_grant (person_id, id);
COMMENT ON TABLE row_grant IS 'A permission on the records of one department, with those below it, or of one person. All of one agency.';
COMMENT ON COLUMN row_grant.about_id IS 'On whose records it counts.';
COMMENT ON COLUMN row_grant.until IS 'From this moment on it counts no more, by the predicates that read it; null counts until it is withdrawn.';
CALL wall_off('row_grant');
REVOKE DELETE ON row_grant FROM :app;
