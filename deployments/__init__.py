"""The composition roots: the command line, the rehearsal, and the processes they start."""
