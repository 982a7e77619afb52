"""The demo: a small Auth0-compatible tenant and a shop that logs in with it. Both are for loopback only."""
