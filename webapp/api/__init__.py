"""The API: what the pages do with runs and schedules, for programs that have a key."""
