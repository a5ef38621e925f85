"""What the api reads. Every question names the tenant, and every list is a page by key, never by offset."""

from taskservice.storage.queries.read_model import ReadModel

__all__ = ["ReadModel"]
