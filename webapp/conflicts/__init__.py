"""Identity conflicts: visitors whose unproven word points at somebody else's profile, and what an admin decides."""
