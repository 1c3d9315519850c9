"""The server: transport, sessions, jobs, ledger and asset store; it never imports torch."""
