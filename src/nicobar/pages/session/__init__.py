"""The page of a checkout session, on which its buyer tells what the payment needs."""
