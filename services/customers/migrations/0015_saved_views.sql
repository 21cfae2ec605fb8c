-- Another one's view is hidden, and who asks for it is audited.

CREATE FUNCTION is_saved_view(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM saved_view WHERE id = an_id)';
COMMENT ON FUNCTION is_saved_view IS 'As is_pool.';
