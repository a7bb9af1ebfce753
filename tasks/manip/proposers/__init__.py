"""Where plans come from."""
