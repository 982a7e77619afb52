"""Pages of the profile store: profiles, where their values came from, and the definitions of properties."""
