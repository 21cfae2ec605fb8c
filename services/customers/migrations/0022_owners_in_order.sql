-- The orders of an agency's list say whose each customer is, so that what is others' is left out without being looked at.

CREATE INDEX customer_agency_of ON customer (agency_id, id) INCLUDE (owner_id);
CREATE INDEX customer_agency_held_of ON customer (agency_id, held_since, id) INCLUDE (owner_id);
CREATE INDEX customer_agency_name_of ON customer (agency_id, name, id) INCLUDE (owner_id);
