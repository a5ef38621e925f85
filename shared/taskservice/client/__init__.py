"""The HTTP client of the service's own API, used by the command line and by the tests."""
