"""kit.sb3."""
