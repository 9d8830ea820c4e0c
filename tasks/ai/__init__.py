"""Providers: who proposes candidates. Nothing after `generate` looks at which one it was."""
