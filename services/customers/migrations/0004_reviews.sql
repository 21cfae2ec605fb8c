-- The review queue: entries that came near others, whether they were made or wait, and what was decided about them.

ALTER TABLE review_item
    ALTER COLUMN customer_id DROP NOT NULL,
    ADD COLUMN version integer NOT NULL DEFAULT 0 CHECK (version >= 0),
    ADD COLUMN origin text NOT NULL DEFAULT 'confirmed'
        CHECK (origin IN ('confirmed', 'waiting', 'pool', 'changed', 'raced')),
    ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'different', 'same', 'withdrawn')),
    ADD COLUMN name text,
    ADD COLUMN fields jsonb,
    ADD COLUMN decided_by uuid,
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN comment text,
    ADD COLUMN same_as uuid CONSTRAINT review_item_same_as_fkey REFERENCES customer,
    ADD COLUMN same_as_name text;
UPDATE review_item SET name = customer.name FROM customer WHERE customer.id = review_item.customer_id;
UPDATE review_item SET origin = 'changed' WHERE reason = 'changed';
UPDATE review_item SET origin = 'pool' FROM customer JOIN ownership AS first ON (first.customer_id, first.number) = (customer.id, 1)
WHERE customer.id = review_item.customer_id AND first.pool_id IS NOT NULL AND origin = 'confirmed';
ALTER TABLE review_item
    ALTER COLUMN version DROP DEFAULT,
    ALTER COLUMN origin DROP DEFAULT,
    ALTER COLUMN state DROP DEFAULT,
    ALTER COLUMN name SET NOT NULL,
    ADD CONSTRAINT review_item_waits CHECK ((origin = 'waiting') = (fields IS NOT NULL)),
    ADD CONSTRAINT review_item_made CHECK ((customer_id IS NULL) = (origin = 'waiting' AND state <> 'different')),
    ADD CONSTRAINT review_item_decided CHECK ((state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)),
    ADD CONSTRAINT review_item_same CHECK ((state = 'same') = (same_as IS NOT NULL) AND (state = 'same') = (same_as_name IS NOT NULL));
CREATE UNIQUE INDEX review_item_waiting ON review_item (person_id, name) WHERE origin = 'waiting' AND state = 'open';
CREATE INDEX review_item_person ON review_item (person_id, id);
CREATE INDEX review_item_agency ON review_item (agency_id, id);
COMMENT ON TABLE review_item IS 'Entries that came near others, for a supervisor to judge: what the person had seen, and why it is another company.';
COMMENT ON COLUMN review_item.version IS 'Counts its events; 0 is from before there were any.';
COMMENT ON COLUMN review_item.origin IS
    'confirmed: made by a rep who had seen them. waiting: not made until it is decided. pool: made in a pool. changed: came near by an
    edit. raced: made at the same instant as another one, so that neither saw the other.';
COMMENT ON COLUMN review_item.person_id IS 'Who entered or changed it.';
COMMENT ON COLUMN review_item.fields IS 'What was typed, of an entry that waits; no customer stands for it before it is found to be different.';
COMMENT ON COLUMN review_item.seen IS 'The customers that came near, of any agency.';
COMMENT ON COLUMN review_item.same_as IS 'The customer that it is, of any agency; its name as it was then in same_as_name.';

CREATE TABLE race_cursor (
    is_the_one boolean PRIMARY KEY CHECK (is_the_one),
    position   bigint NOT NULL CHECK (position >= 0)
);
INSERT INTO race_cursor SELECT true, coalesce(max(position), 0) FROM outbox;
COMMENT ON TABLE race_cursor IS
    'Up to which event customers were looked at for others that came in at the same instant. Positions are given to what is
    committed, so nothing can come in behind it.';
REVOKE INSERT, DELETE ON race_cursor FROM :app;

CREATE FUNCTION is_review(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM review_item WHERE id = an_id)';
COMMENT ON FUNCTION is_review IS 'As is_pool.';
