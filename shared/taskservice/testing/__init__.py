"""What tests of this project, and of its users, stand on: waiting for a condition instead of sleeping."""
