-- The wall between agencies: whoever forgets a WHERE sees nothing of others. How it is set: services/plumbing/wall.py

CREATE PROCEDURE wall_off(walled regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', walled);
    EXECUTE format('CREATE POLICY wall ON %s TO :app USING (
        (SELECT current_setting(''qudao.agency'')) = ''*''
        OR agency_id = (SELECT nullif(current_setting(''qudao.agency''), ''*'')::uuid))', walled);
    EXECUTE format('CREATE POLICY keeper ON %s TO CURRENT_USER USING (true) WITH CHECK (true)', walled);
END $$;
COMMENT ON PROCEDURE wall_off IS 'Unset, the setting raises, and empty it is no uuid: the wall fails closed. The owner, and functions that act for him, pass.';
REVOKE EXECUTE ON PROCEDURE wall_off FROM PUBLIC, :app;
