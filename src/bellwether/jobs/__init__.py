"""Work that outlives its process, on DBOS: in a file beside the database, or in PostgreSQL."""
