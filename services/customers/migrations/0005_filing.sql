-- How far customers are filed by the present rules, and which keys many of them share. Both count over all agencies: the owner
-- passes the wall, so that an index alone is read.

CREATE FUNCTION filing_progress(a_version integer, OUT filed bigint, OUT waiting bigint, OUT oldest integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
    SELECT (SELECT count(*) FROM customer WHERE normaliser >= a_version),
           (SELECT count(*) FROM customer WHERE normaliser < a_version),
           (SELECT min(normaliser) FROM customer)
$$;
COMMENT ON FUNCTION filing_progress IS
    'Customers filed by this version of the rules or a newer one, those that are not yet, and the oldest version; NULL without customers.';

CREATE FUNCTION waiting_to_be_filed(a_version integer) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off
    AS 'SELECT count(*) FROM customer WHERE normaliser < a_version';
COMMENT ON FUNCTION waiting_to_be_filed IS 'As in filing_progress, without counting the others.';

CREATE FUNCTION most_shared_keys(most integer, OUT kind text, OUT key text, OUT sharers bigint)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
    SELECT k.kind, k.key, count(DISTINCT k.customer_id) AS sharers FROM collision_key AS k
    WHERE current_setting('qudao.agency') = '*' AND k.kind IN ('number', 'site', 'mail', 'contact')
    GROUP BY k.kind, k.key HAVING count(*) > 1 AND count(DISTINCT k.customer_id) > 1
    ORDER BY sharers DESC, k.kind, k.key LIMIT most
$$;
COMMENT ON FUNCTION most_shared_keys IS
    'Numbers, websites, domains and contacts that many customers share: by it the setting is judged that lets them stop deciding.
    Who stands in for one agency is told none: these are ways to reach people.';
