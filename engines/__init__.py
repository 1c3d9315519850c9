"""What each host believes, and the neutral forms every asset is kept in."""
