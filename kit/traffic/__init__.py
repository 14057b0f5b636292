"""kit.traffic."""
