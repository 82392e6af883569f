"""Clients of outside services: one file for each service, and its errors as ours."""
