"""The Telegram bot: a companion of the shell that reports and takes commands, and can never hold trading up (D1)."""
