"""The importer: users of an Auth0 tenant become profiles, many at a time."""
