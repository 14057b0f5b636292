"""One file per claim of the README: each prints its table and returns its rows."""
