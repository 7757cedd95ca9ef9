"""The servers behind the adapters: clients, deadlines, breakers, and what counts as away."""
