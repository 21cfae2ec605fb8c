-- Which of two commands could see the other: what was visible when each began, and its transaction.

ALTER TABLE outbox ADD COLUMN xid xid8, ADD COLUMN began pg_snapshot;
ALTER TABLE outbox ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
COMMENT ON COLUMN outbox.xid IS 'The transaction that wrote it; NULL of what was there before this column.';
COMMENT ON COLUMN outbox.began IS
    'What was visible when its command was claimed, and so to everything that the command has looked at since. NULL of an event that no
    command has told.';
