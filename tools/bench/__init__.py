"""`make bench`: what the generator and the token service cost, beside peers in the same run (docs/performance.md)."""
