"""Other projects, run from the checkouts that a user names; none of their code stands here."""
