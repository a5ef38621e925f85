"""What needs no key and shows nothing of any tenant: health, metrics, what problem codes mean, the OpenAPI document."""
