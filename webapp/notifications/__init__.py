"""Notifications of runs: kept with the run's end, and sent by the worker until they are taken or given up."""
