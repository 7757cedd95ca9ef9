"""Where features are kept: all of them on disk, the newest of each symbol in memory."""
