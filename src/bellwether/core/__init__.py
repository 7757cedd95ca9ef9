"""The ground floor: errors, values, schemas, ports, the session calendar, the as-of join."""
