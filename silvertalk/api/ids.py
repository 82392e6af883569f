"""What ids look like in a path or a body, so that anything else is refused before it is looked for."""

UUID_PATTERN = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
SESSION_PATTERN = r"^[0-9a-f]{32}$"
