"""Knows before launch: phases, plan, forecast, and the history that its interval comes from."""
