"""Files and the terminal: whole files, paths of users, JSON lines, bars, what memory there is."""
