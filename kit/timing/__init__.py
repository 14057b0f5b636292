"""kit.timing."""
