"""Where releases are kept, and the mirror in which people look at runs."""
