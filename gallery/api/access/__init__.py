"""Who may use the API: sign-in, users, tokens, the audit log."""
