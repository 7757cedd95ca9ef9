"""The uses: one file each, `run(config, ports) -> Report`."""
