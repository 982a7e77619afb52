"""Runs of imports: asked for, carried by workers through any kill, noted as they go."""
