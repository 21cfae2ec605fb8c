-- Lists in the order of names, over as many customers as an agency has.

CREATE INDEX customer_agency_name ON customer (agency_id, name, id);
