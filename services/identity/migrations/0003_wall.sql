-- The second wall between agencies.

CALL wall_off('department');
CALL wall_off('person');

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
