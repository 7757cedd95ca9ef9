"""What a forecast would have earned: fills at the next open, after costs."""
