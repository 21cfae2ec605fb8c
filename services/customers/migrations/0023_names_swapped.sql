-- What keeps everybody out, for a moment, apart from what takes long: whoever waits for the one must hold nothing of the other.

DROP INDEX customer_name_grams;
ALTER INDEX customer_name_pairs RENAME TO customer_name_grams;
ALTER TABLE customer_name ALTER COLUMN grams DROP NOT NULL;
COMMENT ON COLUMN customer_name.grams IS 'Filled by the release before alone; to be dropped by the next.';

-- --- beside the release before

CREATE FUNCTION note_former_filing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE customer SET normaliser = 1 WHERE id = NEW.customer_id AND normaliser > 2;
    RETURN NULL;
END $$;
CREATE TRIGGER customer_name_by_former_release AFTER INSERT ON customer_name FOR EACH ROW WHEN (NEW.grams IS NOT NULL)
    EXECUTE FUNCTION note_former_filing();
COMMENT ON FUNCTION note_former_filing IS
    'A name that the release before has put beside those that this one has filed: everybody reads them anew until they are filed
    anew. To be dropped by the next.';
