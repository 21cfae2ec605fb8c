-- Customers are met by names that come near as well, by websites, e-mail domains and contact persons.

-- --- keys: those of one place before the others, so that a frequent one costs no more than a rare one

ALTER TABLE collision_key
    DROP CONSTRAINT collision_key_kind_check,
    ADD CONSTRAINT collision_key_kind_check
        CHECK (kind IN ('core', 'brand', 'short', 'number', 'code', 'site', 'mail', 'contact')),
    DROP CONSTRAINT collision_key_pkey,
    ALTER COLUMN kind TYPE text COLLATE "C",
    ALTER COLUMN key TYPE text COLLATE "C",
    ALTER COLUMN detail TYPE text COLLATE "C",
    ADD PRIMARY KEY (kind, key, detail, customer_id);
COMMENT ON COLUMN collision_key.key IS
    'core: brand and trade of a name. brand: alone. short: core of a name without legal form. number: digits of a phone or fax
    without area code. code: credit code. site: website. mail: domain of an e-mail address. contact: person and mobile.';

-- --- names: taken apart once, and by what they meet those that come near

ALTER TABLE customer_name
    ADD COLUMN parts jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN near bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE customer_name
    ALTER COLUMN parts DROP DEFAULT,
    ALTER COLUMN near DROP DEFAULT;
DROP INDEX customer_name_grams;
CREATE INDEX customer_name_grams ON customer_name USING gin (grams) WITH (fastupdate = off);
CREATE INDEX customer_name_near ON customer_name USING gin (near) WITH (fastupdate = off);
COMMENT ON COLUMN customer_name.parts IS 'The name taken apart, and former names in it, by the rules of customer.normaliser.';
COMMENT ON COLUMN customer_name.near IS 'Hashed keys under which names are met that come near this one.';
COMMENT ON INDEX customer_name_near IS 'Without a pending list: every check would read through it.';

DROP INDEX customer_unkeyed;
CREATE INDEX customer_normaliser ON customer (normaliser, id);
COMMENT ON COLUMN customer.normaliser IS 'Version of the rules by which it is filed; 0 is not filed yet.';

-- --- the rules of the check, and what has become of entries that came near

CREATE TABLE collision_rules (
    version integer PRIMARY KEY CHECK (version > 0),
    rules   jsonb NOT NULL,
    set_by  text NOT NULL,
    set_at  timestamptz NOT NULL
);
COMMENT ON TABLE collision_rules IS 'Every version that headquarters has set; the highest is in force, without one the defaults.';
REVOKE UPDATE, DELETE ON collision_rules FROM :app;

-- --- through the wall, on purpose and narrowly

DROP FUNCTION find_matches;
DROP FUNCTION find_by_fragment;
DROP FUNCTION matches_of;
DROP FUNCTION may_be_one_place;
DROP TYPE collision_match;

CREATE TYPE collision_match AS (
    customer_id uuid,
    name        text,
    names       jsonb,
    normaliser  integer,
    province    text,
    city        text,
    agency_id   uuid,
    agency_name text,
    owner_id    uuid,
    owner_name  text,
    pool_kind   text
);

CREATE FUNCTION matches_of(some_ids uuid[]) RETURNS SETOF collision_match LANGUAGE sql STABLE AS $$
    SELECT c.id, c.name,
           (SELECT jsonb_agg(jsonb_build_array(n.name, n.parts) ORDER BY n.kind DESC, n.name)
            FROM customer_name AS n WHERE n.customer_id = c.id),
           c.normaliser, c.province, c.city, c.agency_id, a.name, c.owner_id, p.display_name, pool.kind
    FROM unnest(some_ids) AS wanted(id)
    JOIN customer AS c ON c.id = wanted.id
    LEFT JOIN agency AS a ON a.id = c.agency_id
    LEFT JOIN person AS p ON p.id = c.owner_id
    LEFT JOIN pool ON pool.id = c.pool_id
$$;

CREATE FUNCTION may_be_one_place(one text, other text) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS $$ SELECT '' IN (one, other) OR one = other OR (left(one, 2) = left(other, 2) AND '0000' IN (right(one, 4), right(other, 4))) $$;
COMMENT ON FUNCTION may_be_one_place IS 'Of division codes of cities or provinces, empty where unknown.';

CREATE FUNCTION find_key(a_kind text, a_key text, a_detail text, most integer, OUT customer_id uuid, OUT detail text, OUT rank integer)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
    (SELECT k.customer_id, k.detail, 0 FROM collision_key AS k
     WHERE k.kind = a_kind AND k.key = a_key AND k.detail IN (a_detail, left(a_detail, 2) || '0000', '') LIMIT most)
    UNION ALL
    (SELECT k.customer_id, k.detail, 1 FROM collision_key AS k
     WHERE k.kind = a_kind AND k.key = a_key AND right(a_detail, 4) = '0000'
       AND k.detail > left(a_detail, 2) || '0000' AND k.detail < left(a_detail, 2) || 'a' LIMIT most)
    UNION ALL
    (SELECT k.customer_id, k.detail, 2 FROM collision_key AS k
     WHERE k.kind = a_kind AND k.key = a_key AND k.detail NOT IN (a_detail, left(a_detail, 2) || '0000', '')
     LIMIT CASE WHEN a_detail = '' OR a_kind = 'number' THEN most ELSE most / 4 END)
$$;
COMMENT ON FUNCTION find_key IS
    'Who is filed under a key: in the same place, where that is known; in the places of its province; elsewhere. Each at most so
    many: a key of thousands costs no more than one of a hundred.';

CREATE FUNCTION find_pattern(a_kind text, a_start text, a_pattern text, a_detail text, most integer, OUT customer_id uuid)
RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT k.customer_id FROM (
        SELECT c.customer_id, c.key, c.detail FROM collision_key AS c
        WHERE c.kind = a_kind AND c.key >= a_start AND c.key < a_start || U&'\+10FFFF' LIMIT 5000
    ) AS k
    WHERE k.key LIKE a_pattern AND may_be_one_place(k.detail, a_detail) LIMIT most
$$;
COMMENT ON FUNCTION find_pattern IS 'Who is filed under a key that begins like this and holds the rest in its order, where the places agree.';

CREATE FUNCTION grams_of(plain text) RETURNS text[] LANGUAGE sql IMMUTABLE
    AS $$ SELECT array_agg(DISTINCT substr(plain, at, 2)) FROM generate_series(1, length(plain) - 1) AS at $$;
COMMENT ON FUNCTION grams_of IS 'Pairs of neighbouring characters, as in customer_name.grams.';

CREATE FUNCTION find_matches(
    key_subjects integer[], kinds text[], keys text[], details text[],
    near_subjects integer[], near_keys bigint[],
    pattern_subjects integer[], pattern_kinds text[], starts text[], patterns text[], pattern_details text[],
    fragment_subjects integer[], fragments text[], most integer, OUT subject integer, OUT found collision_match, OUT matched jsonb
)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
    RETURN QUERY
    WITH hit AS MATERIALIZED (
        SELECT a.subject AS subject_no, k.customer_id AS id, jsonb_build_array(a.kind, a.key, k.detail) AS key,
               CASE WHEN a.kind = 'code' THEN -3
                    WHEN a.kind = 'core' AND k.rank < 2 THEN -2
                    WHEN a.kind IN ('number', 'contact') AND k.rank < 2 THEN -1
                    WHEN a.kind IN ('number', 'site', 'mail') THEN 3
                    ELSE k.rank END AS rank
        FROM unnest(key_subjects, kinds, keys, details) AS a(subject, kind, key, detail)
        CROSS JOIN LATERAL find_key(a.kind, a.key, a.detail, most) AS k
        UNION ALL
        SELECT w.subject, n.customer_id, NULL, 1
        FROM (SELECT u.subject, array_agg(u.key) AS keys FROM unnest(near_subjects, near_keys) AS u(subject, key) GROUP BY u.subject) AS w
        CROSS JOIN LATERAL (SELECT c.customer_id FROM customer_name AS c WHERE c.near && w.keys LIMIT most) AS n
        UNION ALL
        SELECT a.subject, p.customer_id, NULL, 1
        FROM unnest(pattern_subjects, pattern_kinds, starts, patterns, pattern_details) AS a(subject, kind, start, pattern, detail)
        CROSS JOIN LATERAL find_pattern(a.kind, a.start, a.pattern, a.detail, most / 4) AS p(customer_id)
        UNION ALL
        SELECT a.subject, n.customer_id, NULL, 1
        FROM unnest(fragment_subjects, fragments) AS a(subject, fragment)
        CROSS JOIN LATERAL (
            SELECT c.customer_id FROM customer_name AS c
            WHERE c.grams @> grams_of(a.fragment) AND strpos(c.normalised, a.fragment) > 0 LIMIT most / 4
        ) AS n
    ), met AS (
        SELECT h.subject_no, h.id, coalesce(jsonb_agg(DISTINCT h.key) FILTER (WHERE h.key IS NOT NULL), '[]') AS keys,
               row_number() OVER (PARTITION BY h.subject_no ORDER BY min(h.rank)) AS place
        FROM hit AS h GROUP BY h.subject_no, h.id
    )
    SELECT m.subject_no, f, m.keys FROM met AS m
    JOIN matches_of(ARRAY(SELECT DISTINCT each.id FROM met AS each WHERE each.place <= 2 * most)) AS f ON f.customer_id = m.id
    WHERE m.place <= 2 * most;
END $$;
COMMENT ON FUNCTION find_matches IS
    'Customers of any agency that share a key with one of several subjects or come near it, those first on which the verdict hangs:
    what it needs, and nothing by which anybody could be reached.';

CREATE FUNCTION find_by_fragment(fragment text, its_grams text[], shown integer, counted integer, OUT found collision_match, OUT hits bigint)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET gin_fuzzy_search_limit = 20000 SET jit = off AS $$
DECLARE
    ids uuid[];
BEGIN
    ids := ARRAY(
        SELECT n.customer_id FROM customer_name AS n
        WHERE n.grams @> its_grams AND strpos(n.normalised, fragment) > 0 LIMIT counted + 1);
    ids := ARRAY(SELECT DISTINCT id FROM unnest(ids) AS each(id));
    RETURN QUERY SELECT f, cardinality(ids)::bigint FROM matches_of(ids[1:shown]) AS f;
END $$;
COMMENT ON FUNCTION find_by_fragment IS
    'Customers of any agency whose name has a fragment; hits counts them, to counted + 1 at most. Of a fragment that tens of
    thousands have the index gives some at random.';

REVOKE EXECUTE ON FUNCTION matches_of, find_key, find_pattern, grams_of FROM PUBLIC, :app;

CREATE FUNCTION oldest_normaliser() RETURNS integer LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT min(normaliser) FROM customer WHERE normaliser > 0';
COMMENT ON FUNCTION oldest_normaliser IS 'By whose rules a customer of any agency is still filed; NULL when there is none.';
