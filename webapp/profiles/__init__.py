"""The profile store: merge strategies, the embedded store, and its pages."""
