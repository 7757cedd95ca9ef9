"""The platform's own record: runs, releases, ingestions and predictions, on SQLAlchemy Core."""
