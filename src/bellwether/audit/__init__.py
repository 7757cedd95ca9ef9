"""The leak audit: features and labels are held to what was known, and what differs is named."""
