"""Messages between processes: short ones to whoever listens, and requests that wait for a worker."""
