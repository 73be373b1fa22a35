"""What runs beside an application that is being written."""
