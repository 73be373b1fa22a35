"""The customer portal: what a customer has bought, is charged, and may change, behind a link of one day."""
