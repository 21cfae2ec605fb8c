-- By what way one has been in touch, as headquarters lays it down.

CREATE TABLE visit_method (
    code      text PRIMARY KEY,
    is_active boolean NOT NULL,
    version   integer NOT NULL CHECK (version > 0)
);
COMMENT ON TABLE visit_method IS 'Copy of the dictionary visit_method of customers, which begins with the same entries; a newer version wins.';
INSERT INTO visit_method (code, is_active, version)
SELECT code, true, 1 FROM unnest(ARRAY['phone', 'visit', 'chat', 'mail', 'video', 'reception', 'exhibition', 'other']) AS begun(code);
REVOKE DELETE ON visit_method FROM :app;
