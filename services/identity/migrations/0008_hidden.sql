-- Whether there is such a thing in any agency, so that who asks for another agency's is denied and audited as such.

CREATE FUNCTION has_role(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM role WHERE id = an_id)';
CREATE FUNCTION has_grant(a_person_id uuid, an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM row_grant WHERE id = an_id AND person_id = a_person_id)';
REVOKE EXECUTE ON FUNCTION has_role(uuid), has_grant(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION has_role(uuid), has_grant(uuid, uuid) TO :app;
