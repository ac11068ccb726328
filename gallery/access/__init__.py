"""Who may do what at a site: users, passwords, tokens, sessions, and the record of what they did."""
