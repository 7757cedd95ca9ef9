"""The HTTP door: predictions, records, health, metrics and pages."""
