"""What headlines sound like."""
