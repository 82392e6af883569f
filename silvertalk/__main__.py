"""`python -m silvertalk`: the same as the `silvertalk` command."""

from silvertalk.cli import app

app()
