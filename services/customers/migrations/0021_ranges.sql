-- Ranges of custom fields are found by tokens as well: one of some dozen buckets that cover the range.

CREATE INDEX customer_no_ranges ON customer (id) WHERE searchable < 3;

CREATE FUNCTION has_tokens(own integer[], of_words integer[], of_digits integer[], ranges integer[]) RETURNS boolean LANGUAGE sql IMMUTABLE
AS $$
    SELECT (cardinality(of_words) = 0 OR own @> of_words OR own @> coalesce(of_digits, of_words))
        AND (cardinality(ranges[1:1]) = 0 OR own && ranges[1:1])
        AND (cardinality(ranges[2:2]) = 0 OR own && ranges[2:2])
        AND (cardinality(ranges[3:3]) = 0 OR own && ranges[3:3])
$$;
COMMENT ON FUNCTION has_tokens IS
    'All of the one kind of tokens or, unless NULL, all of the other, and of each range one. Written into the query that calls it, where
    nothing is left of what is not asked for, so that an index by tokens is used.';

CREATE FUNCTION find_searched(of_words integer[], of_digits integer[], ranges integer[], owners uuid[], most integer) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
    few CONSTANT integer := 20000;
    ids uuid[];
BEGIN
    IF owners IS NOT NULL THEN
        ids := ARRAY(
            SELECT s.customer_id FROM customer_search AS s
            WHERE has_tokens(s.tokens, of_words, of_digits, ranges)
                AND ((SELECT current_setting('qudao.agency')) = '*'
                     OR s.agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid))
            LIMIT few + 1);
        IF cardinality(ids) <= few THEN
            RETURN QUERY SELECT c.id FROM customer AS c WHERE c.id = ANY(ids) AND c.owner_id = ANY(owners);
            RETURN;
        END IF;
        RETURN QUERY WITH held AS MATERIALIZED (SELECT c.id FROM customer AS c WHERE c.owner_id = ANY(owners))
        SELECT s.customer_id FROM customer_search AS s JOIN held ON held.id = s.customer_id
        WHERE has_tokens(s.tokens, of_words, of_digits, ranges)
            AND ((SELECT current_setting('qudao.agency')) = '*'
                 OR s.agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid))
        LIMIT most;
    ELSE
        RETURN QUERY SELECT s.customer_id FROM customer_search AS s
        WHERE has_tokens(s.tokens, of_words, of_digits, ranges)
            AND ((SELECT current_setting('qudao.agency')) = '*'
                 OR s.agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid))
        LIMIT most;
    END IF;
END $$;
COMMENT ON FUNCTION find_searched(integer[], integer[], integer[], uuid[], integer) IS
    'Customers of the agency that is set which have these tokens; of these owners, or of anybody; so many at most, unless NULL. Of owners the tokens are looked up
    first, unless tens of thousands have them. For whom the wall holds, an index by array is of no use, as the wall is asked first; so this
    passes it and asks itself.';
COMMENT ON FUNCTION find_searched(integer[], integer[], uuid[]) IS 'Of the release before; to be dropped by the next.';
