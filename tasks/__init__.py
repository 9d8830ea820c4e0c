"""One file a step: thin, observable wrappers over the ShellClient and over pure code of the shell."""
