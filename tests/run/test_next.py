"""The shop of docs/guide.md in Next.js itself, and routes for every kind of checkout, without an edit.

Next.js asks the outside by itself whether there is a newer one, so where every connection goes is watched in
`test_adapters.py`; here the requests to the hosted service are counted.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cli.program import eventually
from proof import PROVING, ROOT
from run.conftest import DemoShop
from run.test_guide import buy, files, newest, on, running, starting, write

NEXT = ROOT / "build" / "next"

ROUTES = [
    (  # `npx create-next-app` brings one
        "app/layout.tsx",
        """export default function Layout({ children }: { children: React.ReactNode }) {
  return <html lang="en"><body>{children}</body></html>;
}
""",
    ),
    (
        "app/checkout/route.ts",
        """import { Checkout } from "@dodopayments/nextjs";
const config = { bearerToken: process.env.DODO_PAYMENTS_API_KEY!, environment: "live_mode" as const };
export const GET = Checkout({ ...config, type: "static", returnUrl: "https://shop.example/thanks" });
export const POST = Checkout({ ...config, type: "dynamic", returnUrl: "https://shop.example/thanks" });
""",
    ),
    (
        "app/portal/route.ts",
        """import { CustomerPortal } from "@dodopayments/nextjs";
export const GET = CustomerPortal({ bearerToken: process.env.DODO_PAYMENTS_API_KEY!, environment: "live_mode" });
""",
    ),
]


@pytest.fixture
def app() -> Iterator[Path]:
    """An application's folder: packages must lie in it, so it is the one that they were installed into."""
    if not (NEXT / "node_modules" / "next").is_dir():
        pytest.skip("needs Next.js: make prove")
    for name in ("app", ".next", "out"):
        path = NEXT / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    yield NEXT


@pytest.mark.proof
@pytest.mark.skipif(not PROVING, reason="takes Next.js, which make prove installs")
async def test_the_shop_sells_in_next_itself(
    shop: DemoShop,
    app: Path,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    write(app, [*files("tsx"), *files("typescript")[:2], *ROUTES])
    with shop.client as client:
        ana = client.post("/customers", json={"email": "ana@example.com", "name": "Ana"}).json()["customer_id"]
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.setenv("NEXT_TELEMETRY_DISABLED", "1")
    with running(shop, app, port, on(port, starting(3000), 3000)) as own:
        named = own._replace(address=f"http://localhost:{port}")  # as Next.js calls itself
        back = await buy(named)
        assert re.match(rf"{named.address}/\?paid=?&payment_id=pay_[\w-]+&status=succeeded", back)
        order = newest(shop)["metadata"]["order"]
        eventually(lambda: f"order {order} is paid: 2033 USD\n" in own.out.read_text())
        assert httpx.post(f"{own.address}/webhook", json={}).status_code == 401
        with httpx.Client(base_url=own.address, timeout=60) as browser:
            static = browser.get(f"/checkout?productId={shop.product_id}&quantity=2").json()["checkout_url"]
            body = {"product_id": shop.product_id, "quantity": 2, "customer": {"customer_id": ana}}
            billing = {"street": "Allee 1", "city": "Berlin", "state": "BE", "country": "DE", "zipcode": "10115"}
            dynamic = browser.post("/checkout", json=body | {"billing": billing}).json()["checkout_url"]
            portal = browser.get(f"/portal?customer_id={ana}")
    assert (urlsplit(static).path, parse_qs(urlsplit(static).query)["quantity"]) == (f"/buy/{shop.product_id}", ["2"])
    assert newest(shop)["total_amount"] == 4066 and dynamic.startswith(f"{shop.base_url}/")
    assert portal.status_code in (302, 307) and portal.headers["location"].startswith(f"{shop.base_url}/")
    told = own.out.read_text()
    assert "refused" not in told, told
    counted = "requests that were redirected here: live.dodopayments.com 4, test.dodopayments.com 1"
    assert f"nicobar run: {counted}" in told, told
    record_property("purchases", 1)
