"""Opponents that do not learn: random, scripted and perfect ones without a network, and models behind an endpoint."""
