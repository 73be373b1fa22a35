import pytest
from starlette.types import ASGIApp

from api.subscriptions.subscribing import Club, open_club
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from shop import Shop


@pytest.fixture
def club(merchant: Merchant, app: ASGIApp, runtime: Runtime, clock: FakeClock) -> Club:
    """A merchant that sells subscriptions."""
    return open_club(merchant, app, runtime, clock)


@pytest.fixture
def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    return Shop(runtime, app, clock, merchant)
