"""What merchants are sent, where to, how it is signed and when it is tried again."""
