CREATE TABLE pool (
    id        uuid PRIMARY KEY,
    agency_id uuid NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('public', 'agency', 'telesales', 'industry')),
    name      text NOT NULL,
    CONSTRAINT pool_kind_key UNIQUE (agency_id, kind)
);


-- --- customers: who holds them

DROP INDEX customer_owner, customer_department;
ALTER TABLE customer DROP CONSTRAINT customer_name_key;
ALTER TABLE customer
    ALTER COLUMN owner_id DROP NOT NULL,
    DROP COLUMN department_id,
    DROP COLUMN owner_name,
    DROP COLUMN name_key,
    ADD COLUMN fax text,
    ADD COLUMN email text,
    ADD COLUMN province text,
    ADD COLUMN address text,
    ADD COLUMN source text NOT NULL DEFAULT 'own',
    ADD COLUMN industry text,
    ADD COLUMN website text,
    ADD COLUMN credit_code text,
    ADD COLUMN size text,
    ADD COLUMN needs text,
    ADD COLUMN pool_id uuid CONSTRAINT customer_pool_id_fkey REFERENCES pool,
    ADD COLUMN holding integer NOT NULL DEFAULT 1 CHECK (holding > 0),
    ADD COLUMN held_since timestamptz,
    ADD COLUMN entered_by uuid,
    ADD COLUMN registered_at timestamptz,
    ADD COLUMN normaliser integer NOT NULL DEFAULT 0;
UPDATE customer SET held_since = entered_at, entered_by = owner_id;
ALTER TABLE customer
    ALTER COLUMN held_since SET NOT NULL,
    ALTER COLUMN entered_by SET NOT NULL,
    ALTER COLUMN source DROP DEFAULT,
    ALTER COLUMN holding DROP DEFAULT,
    ALTER COLUMN normaliser DROP DEFAULT,
    ADD CONSTRAINT customer_in_agency UNIQUE (id, agency_id),
    ADD CONSTRAINT customer_one_place CHECK ((owner_id IS NULL) <> (pool_id IS NULL));
CREATE INDEX customer_owner ON customer (owner_id, id) WHERE owner_id IS NOT NULL;
CREATE INDEX customer_pool ON customer (pool_id, id) WHERE pool_id IS NOT NULL;
CREATE INDEX customer_unkeyed ON customer (id) WHERE normaliser = 0;
COMMENT ON COLUMN customer.agency_id IS 'Of its owner, or of the pool it lies in.';
COMMENT ON COLUMN customer.holding IS 'Counts the holders and pools from 1; the number of the open row in ownership.';
COMMENT ON COLUMN customer.normaliser IS 'Version of the collision keys; 0 has none yet.';
COMMENT ON CONSTRAINT customer_one_place ON customer IS 'Held by one person or in one pool, never both, never neither.';

CREATE TABLE ownership (
    customer_id uuid NOT NULL,
    number      integer NOT NULL CHECK (number > 0),
    agency_id   uuid NOT NULL,
    owner_id    uuid,
    pool_id     uuid CONSTRAINT ownership_pool_id_fkey REFERENCES pool,
    cause       text NOT NULL CHECK (cause IN ('enter', 'claim', 'assign', 'transfer', 'release', 'open', 'take_back')),
    reason      text,
    actor       text NOT NULL,
    held_from   timestamptz NOT NULL,
    held_until  timestamptz,
    PRIMARY KEY (customer_id, number),
    CONSTRAINT ownership_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customer (id),
    CONSTRAINT ownership_one_place CHECK ((owner_id IS NULL) <> (pool_id IS NULL)),
    CONSTRAINT ownership_order CHECK (held_until >= held_from)
);
CREATE UNIQUE INDEX ownership_open ON ownership (customer_id) WHERE held_until IS NULL;
CREATE INDEX ownership_owner ON ownership (owner_id, held_from) WHERE owner_id IS NOT NULL;
COMMENT ON TABLE ownership IS 'Who has held a customer from when to when: each row begins where the one before ends, the last one is open.';
COMMENT ON COLUMN ownership.agency_id IS 'Of that owner or pool: other agencies do not see it.';

CREATE TABLE stock (
    person_id         uuid PRIMARY KEY,
    agency_id         uuid NOT NULL,
    held              integer NOT NULL CHECK (held >= 0),
    allowed           integer,
    allowance_version integer NOT NULL
);
COMMENT ON TABLE stock IS 'One row for each person who may hold customers; locked by whatever changes what he holds.';
COMMENT ON COLUMN stock.allowed IS 'How many he may hold, as rules decided in this version; held may be above it after it was lowered.';

INSERT INTO ownership (customer_id, number, agency_id, owner_id, cause, actor, held_from)
SELECT id, 1, agency_id, owner_id, 'enter', owner_id::text, entered_at FROM customer;
INSERT INTO stock (person_id, agency_id, held, allowance_version)
SELECT owner_id, min(agency_id::text)::uuid, count(*), -1 FROM customer GROUP BY owner_id;


-- --- customers: how they are found

CREATE TABLE customer_name (
    customer_id uuid NOT NULL,
    name        text NOT NULL,
    agency_id   uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('licence', 'alias', 'bound')),
    normalised  text NOT NULL,
    grams       text[] NOT NULL,
    PRIMARY KEY (customer_id, name),
    CONSTRAINT customer_name_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id)
        ON UPDATE CASCADE
);
CREATE INDEX customer_name_grams ON customer_name USING gin (grams);
COMMENT ON COLUMN customer_name.grams IS 'Pairs of neighbouring characters of the normalised name, for the search by fragment.';

CREATE TABLE collision_key (
    kind        text NOT NULL CHECK (kind IN ('core', 'brand', 'number', 'code')),
    key         text NOT NULL,
    customer_id uuid NOT NULL,
    detail      text NOT NULL,
    agency_id   uuid NOT NULL,
    PRIMARY KEY (kind, key, customer_id, detail),
    CONSTRAINT collision_key_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id)
        ON UPDATE CASCADE
);
CREATE INDEX collision_key_customer ON collision_key (customer_id);
COMMENT ON COLUMN collision_key.key IS
    'core: brand and trade of a name. brand: alone. number: digits of a phone or fax without area code. code: credit code.';
COMMENT ON COLUMN collision_key.detail IS
    'Of a number the digits with area code, of core and brand the division code of city or province; empty where not known.';

CREATE TABLE bound_entry (
    id             uuid PRIMARY KEY,
    customer_id    uuid NOT NULL,
    agency_id      uuid NOT NULL,
    entered_by     uuid NOT NULL,
    entered_at     timestamptz NOT NULL,
    name           text NOT NULL,
    phone          text,
    fax            text,
    province       text,
    city           text,
    contact_person text,
    industry       text,
    credit_code    text,
    CONSTRAINT bound_entry_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id) ON UPDATE CASCADE
);
CREATE INDEX bound_entry_person ON bound_entry (entered_by, id);
CREATE INDEX bound_entry_customer ON bound_entry (customer_id);
COMMENT ON TABLE bound_entry IS 'What was typed for a customer that was there already and the person''s own.';

CREATE TABLE review_item (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    agency_id   uuid NOT NULL,
    person_id   uuid NOT NULL,
    at          timestamptz NOT NULL,
    seen        uuid[] NOT NULL,
    reason      text NOT NULL,
    CONSTRAINT review_item_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id) ON UPDATE CASCADE
);
CREATE INDEX review_item_customer ON review_item (customer_id);
COMMENT ON TABLE review_item IS 'Entries that were made although others came near: what the person had seen, and why it is another company.';

ALTER TABLE entry_attempt
    DROP CONSTRAINT entry_attempt_outcome_check,
    ADD CONSTRAINT entry_attempt_outcome_check CHECK (outcome IN ('bound_to_yours', 'claimable', 'needs_confirmation', 'refused')),
    ADD COLUMN phone text,
    ADD COLUMN fax text,
    ADD COLUMN reason text;
CREATE INDEX entry_attempt_person ON entry_attempt (person_id, id);
CREATE INDEX entry_attempt_agency ON entry_attempt (agency_id, id);
COMMENT ON TABLE entry_attempt IS 'Entries that met an existing customer and were not saved as new ones. Numbers are masked.';
COMMENT ON COLUMN entry_attempt.agency_id IS 'Of the person who tried.';

CALL wall_off('pool');
CALL wall_off('customer');
CALL wall_off('ownership');
CALL wall_off('stock');
CALL wall_off('customer_name');
CALL wall_off('collision_key');
CALL wall_off('bound_entry');
CALL wall_off('review_item');
CALL wall_off('entry_attempt');


-- --- through the wall, on purpose and narrowly: what the collision check may know of other agencies' customers

CREATE TYPE collision_match AS (
    customer_id uuid,
    name        text,
    names       text[],
    province    text,
    city        text,
    agency_id   uuid,
    agency_name text,
    owner_id    uuid,
    owner_name  text,
    pool_kind   text
);

CREATE FUNCTION matches_of(some_ids uuid[]) RETURNS SETOF collision_match LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT c.id, c.name, ARRAY(SELECT n.name FROM customer_name AS n WHERE n.customer_id = c.id),
           c.province, c.city, c.agency_id, a.name, c.owner_id, p.display_name, pool.kind
    FROM customer AS c
    LEFT JOIN agency AS a ON a.id = c.agency_id
    LEFT JOIN person AS p ON p.id = c.owner_id
    LEFT JOIN pool ON pool.id = c.pool_id
    WHERE c.id = ANY(some_ids);
END $$;

CREATE FUNCTION may_be_one_place(one text, other text) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS $$ SELECT '' IN (one, other) OR one = other OR (left(one, 2) = left(other, 2) AND '0000' IN (right(one, 4), right(other, 4))) $$;
COMMENT ON FUNCTION may_be_one_place IS 'Of division codes of cities or provinces, empty where unknown.';

CREATE FUNCTION find_matches(
    kinds text[], keys text[], details text[], most integer, OUT found collision_match, OUT matched jsonb
)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    by_customer jsonb;
BEGIN
    SELECT coalesce(jsonb_object_agg(m.customer_id, m.keys), '{}') INTO by_customer FROM (
        SELECT k.customer_id, jsonb_agg(jsonb_build_array(k.kind, k.key, k.detail)) AS keys
        FROM unnest(kinds, keys, details) AS asked(kind, key, detail)
        JOIN collision_key AS k ON k.kind = asked.kind AND k.key = asked.key
        GROUP BY k.customer_id
        ORDER BY min(CASE WHEN k.kind IN ('number', 'code') THEN 0 WHEN NOT may_be_one_place(k.detail, asked.detail) THEN 3
                          WHEN k.kind = 'core' THEN 1 ELSE 2 END)
        LIMIT most
    ) AS m;
    IF by_customer <> '{}' THEN
        RETURN QUERY SELECT f, by_customer -> f.customer_id::text
        FROM matches_of(ARRAY(SELECT jsonb_object_keys(by_customer)::uuid)) AS f;
    END IF;
END $$;
COMMENT ON FUNCTION find_matches IS
    'Customers of any agency that share a key, those first on which the verdict hangs: what it needs, and nothing by which
    anybody could be reached.';

CREATE FUNCTION find_by_fragment(fragment text, its_grams text[], shown integer, counted integer, OUT found collision_match, OUT hits bigint)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ids uuid[];
BEGIN
    ids := ARRAY(
        SELECT DISTINCT n.customer_id FROM customer_name AS n
        WHERE n.grams @> its_grams AND strpos(n.normalised, fragment) > 0 LIMIT counted + 1);
    RETURN QUERY SELECT f, cardinality(ids)::bigint FROM matches_of(ids[1:shown]) AS f;
END $$;
COMMENT ON FUNCTION find_by_fragment IS 'Customers of any agency whose name has a fragment; hits counts them, to counted + 1 at most.';

CREATE FUNCTION is_pool(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM pool WHERE id = an_id)';
COMMENT ON FUNCTION is_pool IS 'Tells a denial from a typing error, for the audit; callers are told the same.';

CREATE FUNCTION is_customer(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM customer WHERE id = an_id)';
COMMENT ON FUNCTION is_customer IS 'As is_pool.';

REVOKE EXECUTE ON FUNCTION matches_of FROM PUBLIC, :app;
REVOKE DELETE ON customer, ownership, entry_attempt, bound_entry, review_item, stock, pool FROM :app;
