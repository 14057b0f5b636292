"""kit.report."""
