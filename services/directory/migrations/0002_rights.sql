ALTER TABLE person
    ADD COLUMN supervisor_id uuid,
    ADD COLUMN abilities text[] NOT NULL DEFAULT '{}';
-- Until now there were the built-in roles alone.
UPDATE person SET abilities = array_remove(ARRAY[
    CASE WHEN 'agency_admin' = ANY (roles) THEN 'administers' END,
    CASE WHEN roles && ARRAY['rep', 'supervisor', 'manager'] THEN 'holds' END,
    CASE WHEN 'manager' = ANY (roles) THEN 'oversees' END,
    CASE WHEN 'rep' = ANY (roles) THEN 'sells' END], NULL);
ALTER TABLE person ALTER COLUMN abilities DROP DEFAULT;
CREATE INDEX person_supervisor ON person (supervisor_id);
COMMENT ON COLUMN person.abilities IS 'What his roles make of him, built in or not: see `Ability` in services/contracts/permissions.py.';

CREATE FUNCTION subordinates_of(leader uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE team (id) AS (
        SELECT id FROM person WHERE supervisor_id = leader
        UNION
        SELECT person.id FROM person JOIN team ON person.supervisor_id = team.id
    )
    SELECT id FROM team
$$;
COMMENT ON FUNCTION subordinates_of IS 'Ends also while copies of two changes stand in a circle.';
