"""Pages that stand alone, and what they share with the pages of the server: markup, words, drawings."""
