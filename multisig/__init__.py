"""From what is owed to one call that three of five curators sign, and back from the chain."""
