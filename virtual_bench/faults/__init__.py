"""What can be made to go wrong: the catalogue, fault files, and what is armed for a board."""
