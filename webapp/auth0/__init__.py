"""The Auth0 floor: Management API client, the tenant's signing keys, the Action engine."""
