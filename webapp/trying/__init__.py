"""Try it: a goal as it is saved, run on a sample login. Nothing is written, stored or logged."""
