"""Connections, goals, mappings and identifier links: pages, models, YAML."""
