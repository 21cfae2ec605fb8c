-- Pools of an agency's own making beside those that every agency has; who works in them, what they hide, how often one may claim.

ALTER TABLE pool
    DROP CONSTRAINT pool_kind_check,
    ADD CONSTRAINT pool_kind_check CHECK (kind IN ('public', 'agency', 'telesales', 'industry', 'custom')),
    DROP CONSTRAINT pool_kind_key,
    ADD COLUMN version integer NOT NULL DEFAULT 0 CONSTRAINT pool_version_check CHECK (version >= 0),
    ADD COLUMN archived_at timestamptz,
    ADD COLUMN hidden_fields text[] NOT NULL DEFAULT '{}',
    ADD COLUMN claim_rules jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT pool_stays CHECK (archived_at IS NULL OR kind = 'custom');
CREATE UNIQUE INDEX pool_kind_key ON pool (agency_id, kind) WHERE kind <> 'custom';
CREATE UNIQUE INDEX pool_name_key ON pool (agency_id, name) WHERE archived_at IS NULL;
COMMENT ON COLUMN pool.version IS 'Counts its events; 0 is a pool as every agency has it, of which nothing was set yet.';
COMMENT ON COLUMN pool.archived_at IS 'Nothing lies in it then, and nothing comes into it any more.';
COMMENT ON COLUMN pool.hidden_fields IS 'What its list does not show of a customer before it is claimed.';

CREATE TABLE pool_member (
    pool_id   uuid NOT NULL CONSTRAINT pool_member_pool_id_fkey REFERENCES pool,
    person_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    is_admin  boolean NOT NULL,
    since     timestamptz NOT NULL,
    PRIMARY KEY (pool_id, person_id)
);
COMMENT ON TABLE pool_member IS
    'Who works in a custom pool. One without anybody who is no admin is open to every rep of the agency.';

CREATE TABLE pool_claims (
    pool_id   uuid NOT NULL CONSTRAINT pool_claims_pool_id_fkey REFERENCES pool,
    person_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    day       date NOT NULL,
    claims    integer NOT NULL CONSTRAINT pool_claims_claims_check CHECK (claims >= 0),
    last_at   timestamptz,
    PRIMARY KEY (pool_id, person_id)
);
COMMENT ON TABLE pool_claims IS 'How often somebody has claimed from a pool on the last day on which he did; locked by every claim of his.';
COMMENT ON COLUMN pool_claims.day IS 'Of the agency''s time zone.';

INSERT INTO pool_claims (pool_id, person_id, agency_id, day, claims, last_at)
SELECT DISTINCT ON (pool_id, owner_id) pool_id, owner_id, agency_id, day, claims, last_at
FROM (
    SELECT before.pool_id, now.owner_id, now.agency_id, (now.held_from AT TIME ZONE 'Asia/Shanghai')::date AS day,
           count(*) AS claims, max(now.held_from) AS last_at
    FROM ownership AS now
    JOIN ownership AS before ON (before.customer_id, before.number) = (now.customer_id, now.number - 1)
    WHERE now.cause = 'claim' AND before.pool_id IS NOT NULL
    GROUP BY 1, 2, 3, 4
) AS claimed
ORDER BY pool_id, owner_id, day DESC;

CALL wall_off('pool_member');
CALL wall_off('pool_claims');
REVOKE DELETE ON pool_claims FROM :app;

ALTER TABLE ownership
    DROP CONSTRAINT ownership_cause_check,
    ADD CONSTRAINT ownership_cause_check
        CHECK (cause IN ('enter', 'claim', 'assign', 'transfer', 'release', 'open', 'move', 'take_back'));

-- --- through the wall: the check knows who may claim from a custom pool

ALTER TYPE collision_match ADD ATTRIBUTE pool_members uuid[];

CREATE OR REPLACE FUNCTION matches_of(some_ids uuid[]) RETURNS SETOF collision_match LANGUAGE sql STABLE AS $$
    SELECT c.id, c.name,
           (SELECT jsonb_agg(jsonb_build_array(n.name, n.parts) ORDER BY n.kind DESC, n.name)
            FROM customer_name AS n WHERE n.customer_id = c.id),
           c.normaliser, c.province, c.city, c.agency_id, a.name, c.owner_id, p.display_name, pool.kind,
           CASE WHEN pool.kind = 'custom' AND current_setting('qudao.agency') IN ('*', pool.agency_id::text)
                THEN (SELECT CASE WHEN NOT bool_and(m.is_admin) THEN array_agg(m.person_id) END
                      FROM pool_member AS m WHERE m.pool_id = pool.id) END
    FROM unnest(some_ids) AS wanted(id)
    JOIN customer AS c ON c.id = wanted.id
    LEFT JOIN agency AS a ON a.id = c.agency_id
    LEFT JOIN person AS p ON p.id = c.owner_id
    LEFT JOIN pool ON pool.id = c.pool_id
$$;
COMMENT ON FUNCTION matches_of IS
    'pool_members are told to the pool''s own agency alone, and null where the pool is open to every rep of it.';
