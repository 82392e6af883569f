"""The REST API: one file per resource, thin over the package's own modules."""
