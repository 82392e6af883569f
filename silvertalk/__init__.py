"""The product: gateway, accounts, storage and the command line."""

__version__ = "0.1.0"
