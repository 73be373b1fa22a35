"""The life of a payment: its states, its outcomes, who may pay it and how."""
