"""Who may do what: users and keys, roles and permissions, logins and tokens. Knows nothing of HTTP."""
