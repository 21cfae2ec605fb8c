-- As 0023, of another table.

DROP INDEX customer_unsearchable, customer_agency, customer_agency_held, customer_agency_name;
ALTER INDEX customer_no_ranges RENAME TO customer_unsearchable;
ALTER INDEX customer_agency_of RENAME TO customer_agency;
ALTER INDEX customer_agency_held_of RENAME TO customer_agency_held;
ALTER INDEX customer_agency_name_of RENAME TO customer_agency_name;
