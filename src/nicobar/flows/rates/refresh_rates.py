"""Fetch exchange rates from a feed and take them."""

from nicobar.core.money.rate_feed import Taken
from nicobar.flows.rates.import_rates import import_rates
from nicobar.flows.runtime import Runtime
from nicobar.processors.rates.rate_feeds import ECB_URL, feed_host, fetch_rates
from nicobar.processors.rates.rate_files import ECB


async def refresh_rates(runtime: Runtime, feed: str, *, force: bool = False) -> Taken:
    """Fetch a feed, which is `ecb` or an address, and take its rates as `import_rates` does, but never a fixed one.

    Raises FeedUnavailable, and Problem INVALID_REQUEST_PARAMETERS for an answer that cannot be read; nothing is
    stored then.
    """
    url = ECB_URL if feed == ECB else feed
    origin = ECB if feed == ECB else feed_host(url)
    return await import_rates(runtime, await fetch_rates(url), origin, force=force)
