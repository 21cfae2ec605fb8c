-- A handover is done in somebody's name.

ALTER TABLE handover ADD COLUMN ordered_by uuid;
COMMENT ON COLUMN handover.ordered_by IS 'Who ordered the leaving, in whose name its audit rows are; null for those of before.';
