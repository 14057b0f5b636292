"""kit.notebooks."""
