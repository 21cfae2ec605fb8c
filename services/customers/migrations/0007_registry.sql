-- What is known of a customer besides its name: place by code, category, tags, fields of one's own, contact persons; how it has
-- changed; and what it is searched by.

-- --- what headquarters lays down

CREATE TABLE dictionary_entry (
    kind      text NOT NULL CHECK (kind IN ('source', 'industry', 'release_reason', 'category', 'key_criterion')),
    code      text NOT NULL,
    label     text NOT NULL,
    position  integer NOT NULL CHECK (position >= 0),
    is_active boolean NOT NULL,
    version   integer NOT NULL CHECK (version > 0),
    PRIMARY KEY (kind, code)
);
COMMENT ON TABLE dictionary_entry IS 'What may be chosen; customers keep the code, so that a label may change. Nothing is deleted: what is not active is not chosen any more.';
INSERT INTO dictionary_entry (kind, code, label, position, is_active, version)
SELECT kind, code, label, row_number() OVER (PARTITION BY kind ORDER BY number), true, 1 FROM (VALUES
    (1, 'source', 'own', '自行开发'),
    (2, 'source', 'web', '网上注册'),
    (3, 'source', 'telesales', '电话营销'),
    (4, 'source', 'exhibition', '展会'),
    (5, 'source', 'referral', '客户介绍'),
    (6, 'source', 'advertising', '广告'),
    (7, 'source', 'other', '其他'),
    (1, 'release_reason', 'no_need', '无需求'),
    (2, 'release_reason', 'no_budget', '无预算'),
    (3, 'release_reason', 'unreachable', '联系不上'),
    (4, 'release_reason', 'closed_down', '已停业'),
    (5, 'release_reason', 'chose_competitor', '已选竞品'),
    (6, 'release_reason', 'wrong_territory', '不属本区域'),
    (7, 'release_reason', 'other', '其他'),
    (1, 'category', 'potential', '潜在客户'),
    (2, 'category', 'intending', '意向客户'),
    (3, 'category', 'dealt', '成交客户'),
    (4, 'category', 'vip', 'VIP 客户'),
    (1, 'key_criterion', 'large', '规模大'),
    (2, 'key_criterion', 'leader', '行业龙头'),
    (3, 'key_criterion', 'budget', '预算充足'),
    (4, 'key_criterion', 'urgent', '需求急迫'),
    (5, 'key_criterion', 'exporter', '外贸企业'),
    (6, 'key_criterion', 'reference', '标杆客户'),
    (1, 'industry', 'agriculture', '农、林、牧、渔业'),
    (2, 'industry', 'mining', '采矿业'),
    (3, 'industry', 'manufacturing', '制造业'),
    (4, 'industry', 'utilities', '电力、热力、燃气及水生产和供应业'),
    (5, 'industry', 'construction', '建筑业'),
    (6, 'industry', 'trade', '批发和零售业'),
    (7, 'industry', 'transport', '交通运输、仓储和邮政业'),
    (8, 'industry', 'hospitality', '住宿和餐饮业'),
    (9, 'industry', 'it', '信息传输、软件和信息技术服务业'),
    (10, 'industry', 'finance', '金融业'),
    (11, 'industry', 'real_estate', '房地产业'),
    (12, 'industry', 'business_services', '租赁和商务服务业'),
    (13, 'industry', 'research', '科学研究和技术服务业'),
    (14, 'industry', 'environment', '水利、环境和公共设施管理业'),
    (15, 'industry', 'household_services', '居民服务、修理和其他服务业'),
    (16, 'industry', 'education', '教育'),
    (17, 'industry', 'health', '卫生和社会工作'),
    (18, 'industry', 'culture', '文化、体育和娱乐业'),
    (19, 'industry', 'public', '公共管理、社会保障和社会组织'),
    (20, 'industry', 'international', '国际组织')
) AS chosen(number, kind, code, label);
COMMENT ON COLUMN dictionary_entry.kind IS 'industry: the sections of GB/T 4754-2017; other texts may be typed as well. Of the other kinds only what is active.';

CREATE TABLE custom_field (
    key         text PRIMARY KEY,
    label       text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('text', 'number', 'date', 'boolean', 'choice', 'choices')),
    options     text[] NOT NULL,
    is_required boolean NOT NULL,
    is_active   boolean NOT NULL,
    position    integer NOT NULL CHECK (position >= 0),
    version     integer NOT NULL CHECK (version > 0),
    CONSTRAINT custom_field_options CHECK ((kind IN ('choice', 'choices')) = (cardinality(options) > 0))
);
COMMENT ON TABLE custom_field IS 'Fields of headquarters'' own. The kind stays for good, as customers have values of it.';
REVOKE DELETE ON dictionary_entry, custom_field FROM :app;


-- --- the record

ALTER TABLE customer
    ADD COLUMN district     text,
    ADD COLUMN division     text,
    ADD COLUMN category     text NOT NULL DEFAULT 'potential',
    ADD COLUMN tags         text[] NOT NULL DEFAULT '{}',
    ADD COLUMN key_criteria text[] NOT NULL DEFAULT '{}',
    ADD COLUMN custom       jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN searchable   integer NOT NULL DEFAULT 0;
CREATE INDEX customer_unsearchable ON customer (id) WHERE searchable < 1;
CREATE INDEX customer_agency_entered ON customer (agency_id, entered_at);
CREATE INDEX customer_agency_held ON customer (agency_id, held_since, id);
COMMENT ON COLUMN customer.division IS 'Code (GB/T 2260) of the narrowest place that is known; NULL where none is understood.';
COMMENT ON COLUMN customer.custom IS 'Values by the key of their field.';
COMMENT ON COLUMN customer.searchable IS 'Version of its row in customer_search; 0 has none yet.';

CREATE TABLE tag (
    agency_id uuid NOT NULL,
    name      text NOT NULL,
    PRIMARY KEY (agency_id, name)
);
COMMENT ON TABLE tag IS 'Tags that an agency''s people have given, to be offered again.';

CREATE TABLE contact (
    id                uuid PRIMARY KEY,
    customer_id       uuid NOT NULL,
    agency_id         uuid NOT NULL,
    name              text NOT NULL,
    title             text,
    department        text,
    phone             text,
    email             text,
    wechat            text,
    is_decision_maker boolean NOT NULL,
    best_time         text,
    channel           text CHECK (channel IN ('phone', 'visit', 'wechat', 'email')),
    likes             text,
    note              text,
    CONSTRAINT contact_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id) ON UPDATE CASCADE
);
CREATE INDEX contact_customer ON contact (customer_id, id);
COMMENT ON TABLE contact IS 'People at a customer; part of it, and counted in its version. Their numbers are met by the collision check.';
COMMENT ON COLUMN contact.channel IS 'By which they like to be addressed; best_time when, likes what they like besides.';

CREATE TABLE customer_change (
    customer_id uuid NOT NULL,
    version     integer NOT NULL,
    agency_id   uuid NOT NULL,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    fields      jsonb NOT NULL,
    PRIMARY KEY (customer_id, version),
    CONSTRAINT customer_change_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id) ON UPDATE CASCADE
);
COMMENT ON TABLE customer_change IS 'What was changed by whom: by the name of each field what it was and what it became. Entering is no change.';
REVOKE UPDATE, DELETE ON customer_change FROM :app;


-- --- finding it

CREATE TABLE customer_search (
    customer_id uuid PRIMARY KEY,
    agency_id   uuid NOT NULL,
    words       text NOT NULL,
    digits      text NOT NULL,
    tokens      integer[] NOT NULL,
    CONSTRAINT customer_search_customer_fkey FOREIGN KEY (customer_id, agency_id) REFERENCES customer (id, agency_id) ON UPDATE CASCADE
);
CREATE INDEX customer_search_tokens ON customer_search USING gin (tokens);
COMMENT ON TABLE customer_search IS 'What customers are searched and filtered by, made of the rows that know it; see services/customers/search/domain.py.';
COMMENT ON COLUMN customer_search.words IS 'Names and people with their initials, codes, each in a line of its own: what a search must stand in.';
COMMENT ON COLUMN customer_search.digits IS 'As words, of phones and faxes: who sees them in part only must know them whole to find by them.';
COMMENT ON COLUMN customer_search.tokens IS 'Hashes of pairs of neighbouring characters of these, and of the values of what is filtered by.';

CREATE FUNCTION find_searched(of_words integer[], of_digits integer[], owners uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
    most CONSTANT integer := 20000;
    ids uuid[];
BEGIN
    IF owners IS NOT NULL THEN
        ids := ARRAY(
            SELECT s.customer_id FROM customer_search AS s
            WHERE (s.tokens @> of_words OR s.tokens @> coalesce(of_digits, of_words))
                AND ((SELECT current_setting('qudao.agency')) = '*'
                     OR s.agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid))
            LIMIT most + 1);
        IF cardinality(ids) <= most THEN
            RETURN QUERY SELECT c.id FROM customer AS c WHERE c.id = ANY(ids) AND c.owner_id = ANY(owners);
            RETURN;
        END IF;
        RETURN QUERY WITH held AS MATERIALIZED (SELECT c.id FROM customer AS c WHERE c.owner_id = ANY(owners))
        SELECT s.customer_id FROM customer_search AS s JOIN held ON held.id = s.customer_id
        WHERE (s.tokens @> of_words OR s.tokens @> coalesce(of_digits, of_words))
            AND ((SELECT current_setting('qudao.agency')) = '*'
                 OR s.agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid));
    ELSE
        RETURN QUERY SELECT s.customer_id FROM customer_search AS s
        WHERE (s.tokens @> of_words OR s.tokens @> coalesce(of_digits, of_words))
            AND ((SELECT current_setting('qudao.agency')) = '*'
                 OR s.agency_id = (SELECT nullif(current_setting('qudao.agency'), '*')::uuid));
    END IF;
END $$;
COMMENT ON FUNCTION find_searched IS
    'Customers of the agency that is set which have all of the one kind of tokens or, unless NULL, all of the other; of these owners, or of
    anybody. Of owners the tokens are looked up first, unless tens of thousands have them. A NULL beside the OR would keep the index from
    being used. For whom the wall holds, an index by array is of no use, as the wall is asked first; so this passes it and asks itself.';

CREATE TABLE saved_view (
    id        uuid PRIMARY KEY,
    agency_id uuid NOT NULL,
    person_id uuid NOT NULL,
    name      text NOT NULL,
    filter    jsonb NOT NULL,
    is_shared boolean NOT NULL,
    version   integer NOT NULL CHECK (version > 0),
    CONSTRAINT saved_view_name_key UNIQUE (person_id, name)
);
CREATE INDEX saved_view_agency ON saved_view (agency_id, id) WHERE is_shared;
COMMENT ON TABLE saved_view IS 'Filters that somebody keeps under a name; a shared one is seen by the people of his agency.';

CALL wall_off('tag');
CALL wall_off('contact');
CALL wall_off('customer_change');
CALL wall_off('customer_search');
CALL wall_off('saved_view');
