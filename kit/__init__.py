"""A training kit for notebooks that will be killed."""
