"""kit.harness."""
