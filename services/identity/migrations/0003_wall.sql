-- The second wall between agencies, see services/plumbing/wall.py: fails when no agency is set. ":app" is the application's role.

ALTER TABLE department ENABLE ROW LEVEL SECURITY;
ALTER TABLE department FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON department TO :app USING (
    (SELECT current_setting('qudao.agency')) = '*'
    OR agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid)
);
CREATE POLICY keeper ON department TO CURRENT_USER USING (true) WITH CHECK (true);

ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE person FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON person TO :app USING (
    (SELECT current_setting('qudao.agency')) = '*'
    OR agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid)
);
CREATE POLICY keeper ON person TO CURRENT_USER USING (true) WITH CHECK (true);

-- The windows in it: each tells no more than that there is one.
CREATE FUNCTION has_department(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM department WHERE id = an_id)';
CREATE FUNCTION has_person(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM person WHERE id = an_id)';
CREATE FUNCTION has_login(a_login text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM person WHERE login = a_login)';
COMMENT ON FUNCTION has_login IS 'Logins are unique across agencies.';
REVOKE EXECUTE ON FUNCTION has_department(uuid), has_person(uuid), has_login(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION has_department(uuid), has_person(uuid), has_login(text) TO :app;
