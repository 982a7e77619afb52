"""Try it: a goal as it is saved, run on a sample login or held against a real token. Nothing is written or logged."""
