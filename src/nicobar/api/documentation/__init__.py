"""The OpenAPI document and the reference for people, both generated."""
