ALTER TABLE agency ADD COLUMN is_frozen boolean NOT NULL DEFAULT false;

ALTER TABLE department
    ADD COLUMN parent_id uuid GENERATED ALWAYS AS (ancestors[cardinality(ancestors) - 1]) STORED,
    ADD COLUMN status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'frozen', 'merged')),
    ADD COLUMN merged_into_id uuid;
CREATE INDEX department_parent ON department (parent_id);
COMMENT ON COLUMN department.parent_id IS 'Told by the department''s own events. What stands above it in ancestors follows the parent''s row.';

ALTER TABLE person ADD COLUMN other_department_ids uuid[] NOT NULL DEFAULT '{}';
CREATE INDEX person_other_departments ON person USING gin (other_department_ids);

CREATE TABLE sales_group (
    id         uuid PRIMARY KEY,
    agency_id  uuid NOT NULL,
    member_ids uuid[] NOT NULL,
    version    integer NOT NULL CHECK (version > 0)
);
COMMENT ON COLUMN sales_group.member_ids IS 'On whose records the rights of its admins count; nobody once it is dissolved.';
CALL wall_off('sales_group');
