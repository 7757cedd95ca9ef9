"""How good a forecast was: splits, metrics, intervals. Pure arithmetic on arrays."""
