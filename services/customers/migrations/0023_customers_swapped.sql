-- As 0022, of another table.

DROP INDEX customer_unsearchable;
ALTER INDEX customer_no_ranges RENAME TO customer_unsearchable;
