"""What runs alongside an application that is being written."""
