"""What is known about exchange rates without any feed: the snapshot, the legal pegs, and who follows whom."""

from functools import cache
from typing import Final

from nicobar.core.money.fx import usd_rate
from nicobar.core.money.rate_feed import Anchor, Seed
from nicobar.reference import rates

ANCHORS: Final = {
    "BAM": Anchor("EUR", "1.95583"),
    "BGN": Anchor("EUR", "1.95583"),
    "BND": Anchor("SGD", "1"),
    "CVE": Anchor("EUR", "110.265"),
    "FKP": Anchor("GBP", "1"),
    "GIP": Anchor("GBP", "1"),
    "HRK": Anchor("EUR", "7.5345"),
    "KMF": Anchor("EUR", "491.96775"),
    "LSL": Anchor("ZAR", "1"),
    "MOP": Anchor("HKD", "1.03"),
    "NAD": Anchor("ZAR", "1"),
    "NPR": Anchor("INR", "1.6"),
    "SHP": Anchor("GBP", "1"),
    "SLL": Anchor("SLE", "1000"),
    "STN": Anchor("EUR", "24.5"),
    "SZL": Anchor("ZAR", "1"),
    "XAF": Anchor("EUR", "655.957"),
    "XOF": Anchor("EUR", "655.957"),
    "XPF": Anchor("EUR", "119.3317422434"),
}
"""The legal rates behind the rows of the snapshot that are computed from another currency (`peg_cross` and
`retired_fixed`). The lev and the kuna were replaced by the euro at these rates; 1000 old leones are one new one."""


@cache
def seed() -> Seed:
    """Return the seed of the rates in force."""
    return Seed(
        rates={rate.code: usd_rate(rate.units_per_usd, rate.as_of, rate.source) for rate in rates.snapshot()},
        fixed=frozenset(rate.code for rate in rates.snapshot() if rate.refresh == "never"),
        anchors=ANCHORS,
    )
