"""Pages of runs: their history, one of them, the schedule, and what stands of them on other pages."""
