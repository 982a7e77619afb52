"""Run history and received items: what happened, kept and shown."""
