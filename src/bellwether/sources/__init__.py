"""Where bars come from. Every source goes through the same checks."""
