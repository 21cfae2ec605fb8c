-- Web-registered members: the sources that send them, what became of each, and whose turn it is.

CREATE TABLE member_source (
    id             uuid PRIMARY KEY,
    version        integer NOT NULL CHECK (version > 0),
    agency_id      uuid NOT NULL,
    name           text NOT NULL,
    is_enabled     boolean NOT NULL,
    key_version    integer NOT NULL CHECK (key_version > 0),
    previous_until timestamptz,
    created_by     uuid NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT member_source_previous CHECK (key_version > 1 OR previous_until IS NULL)
);
CREATE INDEX member_source_agency ON member_source (agency_id, id);
COMMENT ON COLUMN member_source.agency_id IS 'Whose members they are; headquarters'' are distributed by territory.';
COMMENT ON COLUMN member_source.key_version IS 'From it and its own key the gateway derives the secret, which stands nowhere.';
COMMENT ON COLUMN member_source.previous_until IS 'How long the secret before this one is good.';
COMMENT ON COLUMN member_source.created_by IS 'He answers for what comes in by it, as who has entered it.';

CREATE TABLE member_arrival (
    id             uuid PRIMARY KEY,
    agency_id      uuid NOT NULL,
    source_id      uuid CONSTRAINT member_arrival_source_id_fkey REFERENCES member_source,
    external_id    text,
    received_at    timestamptz NOT NULL,
    registered_at  timestamptz NOT NULL,
    name           text NOT NULL,
    contact_person text,
    phone          text,
    email          text,
    province       text,
    city           text,
    website        text,
    industry       text,
    needs          text,
    outcome        text NOT NULL CHECK (outcome IN ('entered', 'assigned', 'known')),
    reason         text CHECK (reason IN ('no_territory', 'nobody_left', 'held_by_colleague', 'held_by_other_agency',
        'in_public_pool', 'in_agency_pool', 'in_other_agency_pool', 'held_by_telesales', 'held_by_industry')),
    customer_id    uuid CONSTRAINT member_arrival_customer_id_fkey REFERENCES customer,
    person_id      uuid,
    CONSTRAINT member_arrival_reachable CHECK (phone IS NOT NULL OR email IS NOT NULL),
    CONSTRAINT member_arrival_customer CHECK (outcome = 'known' OR customer_id IS NOT NULL),
    CONSTRAINT member_arrival_assigned CHECK (outcome <> 'assigned' OR person_id IS NOT NULL),
    CONSTRAINT member_arrival_received CHECK ((reason IS NULL) = (outcome <> 'known' AND person_id IS NOT NULL))
);
CREATE UNIQUE INDEX member_arrival_made ON member_arrival (customer_id) WHERE outcome = 'entered';
CREATE INDEX member_arrival_agency ON member_arrival (agency_id, id);
CREATE INDEX member_arrival_person ON member_arrival (person_id, id);
COMMENT ON TABLE member_arrival IS 'Web-registered members as they came in, and what each turned out to be; never changed.';
COMMENT ON COLUMN member_arrival.agency_id IS 'Who received it, or of a known one of headquarters'' sources who has it.';
COMMENT ON COLUMN member_arrival.customer_id IS 'The one that it is; NULL of a known one that another agency has.';
COMMENT ON CONSTRAINT member_arrival_received ON member_arrival IS 'Somebody received it, or there is a reason why nobody did.';
COMMENT ON COLUMN member_arrival.person_id IS 'Who received it, or of a known one who held it then.';

CREATE TABLE territory (
    agency_id uuid PRIMARY KEY,
    version   integer NOT NULL CHECK (version > 0),
    assignees uuid[],
    pooled    text NOT NULL CHECK (pooled IN ('assign', 'leave'))
);
COMMENT ON COLUMN territory.assignees IS 'Whose turn it can be; NULL is every active rep.';
COMMENT ON COLUMN territory.pooled IS 'What becomes of a member that is known and lies in a pool of the agency.';

CREATE TABLE territory_place (
    place     text NOT NULL,
    agency_id uuid NOT NULL CONSTRAINT territory_place_agency_id_fkey REFERENCES territory,
    PRIMARY KEY (place, agency_id)
);
CREATE INDEX territory_place_agency ON territory_place (agency_id);
COMMENT ON COLUMN territory_place.place IS 'Code of a province, city or county; agencies that have the same one take turns.';

CREATE TABLE place_turn (
    place   text PRIMARY KEY,
    last_id uuid
);
COMMENT ON TABLE place_turn IS 'Which agency of a place had its turn last. Locked before it is read, and before the turn of people.';

CREATE TABLE person_turn (
    agency_id uuid PRIMARY KEY,
    last_id   uuid
);
COMMENT ON TABLE person_turn IS 'Who of an agency received the last member. Locked before it is read, and before the stocks.';

CALL wall_off('member_source');
CALL wall_off('member_arrival');
CALL wall_off('territory');
CALL wall_off('territory_place');
CALL wall_off('person_turn');
REVOKE DELETE ON member_source, member_arrival, territory, place_turn, person_turn FROM :app;
REVOKE UPDATE ON member_arrival, territory_place FROM :app;

ALTER TABLE review_item
    DROP CONSTRAINT review_item_origin_check,
    ADD CONSTRAINT review_item_origin_check CHECK (origin IN ('confirmed', 'waiting', 'pool', 'changed', 'raced', 'web'));
COMMENT ON COLUMN review_item.origin IS
    'confirmed: made by a rep who had seen them. waiting: not made until it is decided. pool: made in a pool. changed: came near by an
    edit. raced: made at the same instant as another one, so that neither saw the other. web: a web-registered member.';

CREATE FUNCTION is_member_source(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM member_source WHERE id = an_id)';
COMMENT ON FUNCTION is_member_source IS 'As is_pool.';

CREATE FUNCTION is_member_arrival(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM member_arrival WHERE id = an_id)';
COMMENT ON FUNCTION is_member_arrival IS 'As is_pool.';
