-- What was typed for a customer that somebody holds already is compared by whole: with its other names, website and e-mail address.

ALTER TABLE bound_entry
    ADD COLUMN aliases text[] NOT NULL DEFAULT '{}',
    ADD COLUMN website text,
    ADD COLUMN email   text;
ALTER TABLE bound_entry ALTER COLUMN aliases DROP DEFAULT;
COMMENT ON COLUMN bound_entry.aliases IS 'Other names that were typed with it, in the same place.';

-- A second entry of one name that says something else besides waits by itself: it may be another company.
DROP INDEX review_item_waiting;
CREATE UNIQUE INDEX review_item_waiting ON review_item (person_id, md5(fields::text)) WHERE origin = 'waiting' AND state = 'open';
