-- Agencies and departments that change, people in several departments, sales groups.

ALTER TABLE agency
    ADD COLUMN is_frozen boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT agency_headquarters_check CHECK (NOT (is_headquarters AND is_frozen));
COMMENT ON COLUMN agency.is_frozen IS 'None of its people is let in.';

ALTER TABLE department
    ADD COLUMN kind text NOT NULL DEFAULT 'department'
        CHECK (kind IN ('company', 'branch', 'office', 'department', 'team')),
    ADD COLUMN ceiling text[],
    ADD COLUMN status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'frozen', 'merged')),
    ADD COLUMN merged_into_id uuid,
    ADD CONSTRAINT department_merged_check CHECK ((status = 'merged') = (merged_into_id IS NOT NULL)),
    ADD CONSTRAINT department_merged_into_fkey FOREIGN KEY (merged_into_id, agency_id) REFERENCES department (id, agency_id),
    DROP CONSTRAINT department_name_key;
CREATE UNIQUE INDEX department_name_key ON department (agency_id, name) WHERE status <> 'merged';
CREATE INDEX department_parent ON department (parent_id, id);
COMMENT ON COLUMN department.kind IS '公司, 分公司, 办事处, 部门, 小组.';
COMMENT ON COLUMN department.ceiling IS 'The roles that its members may be granted; all when null.';
COMMENT ON COLUMN department.status IS 'frozen: takes nobody and no department. merged: what is left of one whose people are in another now.';
COMMENT ON COLUMN department.version IS 'Of the department itself: its path also follows those above it, untold and uncounted.';

ALTER TABLE person
    ADD COLUMN other_department_ids uuid[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT person_other_departments_check CHECK (department_id <> ALL (other_department_ids));
CREATE INDEX person_other_departments ON person USING gin (other_department_ids);
COMMENT ON COLUMN person.other_department_ids IS 'In which he is besides the home department, all of the person''s agency.';

CREATE TABLE sales_group (
    id           uuid PRIMARY KEY,
    agency_id    uuid NOT NULL REFERENCES agency,
    name         text NOT NULL,
    member_ids   uuid[] NOT NULL CHECK (cardinality(member_ids) <= 200),
    is_dissolved boolean NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    created_at   timestamptz NOT NULL,
    CONSTRAINT sales_group_in_agency UNIQUE (id, agency_id)
);
CREATE UNIQUE INDEX sales_group_name ON sales_group (agency_id, name) WHERE NOT is_dissolved;
CREATE INDEX sales_group_members ON sales_group USING gin (member_ids);
COMMENT ON COLUMN sales_group.member_ids IS 'People of the agency, in the order in which they were added.';

CREATE TABLE group_admin (
    group_id  uuid NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    agency_id uuid NOT NULL,
    rights    text[] NOT NULL CHECK (
        cardinality(rights) > 0
        AND rights <@ '{assign_tasks,change_rights,manage_members,see_customers,see_work}'::text[]),
    PRIMARY KEY (group_id, person_id),
    CONSTRAINT group_admin_group_fkey FOREIGN KEY (group_id, agency_id) REFERENCES sales_group (id, agency_id)
);
CREATE INDEX group_admin_person ON group_admin (person_id);
COMMENT ON TABLE group_admin IS 'Changed under the lock of the group''s row.';

CALL wall_off('sales_group');
CALL wall_off('group_admin');
CREATE FUNCTION has_group(an_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM sales_group WHERE id = an_id)';
REVOKE EXECUTE ON FUNCTION has_group(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION has_group(uuid) TO :app;

REVOKE DELETE ON agency, department, sales_group FROM :app;
