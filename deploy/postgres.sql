-- Run by PostgreSQL's image when the data directory is made. A service's role is to enter its own database alone.
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
