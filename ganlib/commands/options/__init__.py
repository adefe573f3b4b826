"""Options of the command line that several verbs have."""
