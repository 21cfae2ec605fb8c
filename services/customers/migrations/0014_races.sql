-- Who entered without seeing the other is found by their snapshots.

CREATE INDEX outbox_xid ON outbox (xid);
