"""Features and labels: pure functions of point-in-time bars, one definition and two engines."""
