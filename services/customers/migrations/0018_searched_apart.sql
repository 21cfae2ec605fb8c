-- Who may not see a contact person or a credit code must not search by it either: they stand apart from the names.

ALTER TABLE customer_search
    ADD COLUMN people text NOT NULL DEFAULT '',
    ADD COLUMN codes  text NOT NULL DEFAULT '';
COMMENT ON COLUMN customer_search.words IS 'Names with their initials. In rows of version 1 (customer.searchable) also people and codes.';
COMMENT ON COLUMN customer_search.people IS 'Contact persons with their initials.';

DROP INDEX customer_unsearchable;
CREATE INDEX customer_unsearchable ON customer (id) WHERE searchable < 2;
