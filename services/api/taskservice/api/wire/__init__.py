"""HTTP as bytes: problem details, strict JSON, query parameters, headers, cursors. Knows nothing of resources."""
