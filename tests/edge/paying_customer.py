"""A customer in a process of its own, who orders and pays over and over until its input ends.

Each request has a connection of its own. It prints how long each took, which statuses came, and how often it paid.
"""

import json
import re
import sys
import threading
import time
from typing import Any, Final

import httpx

CARD: Final = {"number": "4242 4242 4242 4242", "expiry": "06 / 32", "cvc": "123", "name": "Ana Lima"}
_TOKEN: Final = re.compile(r'name="token" value="([^"]+)"')


class Customer:
    """One who pays at a shop."""

    def __init__(self, base_url: str, key: str, product_id: str) -> None:
        self._base_url, self._product_id = base_url, product_id
        self._headers = {"authorization": f"Bearer {key}"}
        self.seconds: list[float] = []
        self.statuses: set[int] = set()
        self.paid = 0

    def pay(self) -> None:
        """Order a product and pay for it on its page."""
        order = {"billing": {"country": "US"}, "customer": {"email": "ana@example.com"}, "payment_link": True}
        cart = [{"product_id": self._product_id, "quantity": 1}]
        made = self._ask("POST", f"{self._base_url}/payments", json=order | {"product_cart": cart})
        link = made.json()["payment_link"]
        found = _TOKEN.search(self._ask("GET", link).text)
        if found is None:
            raise LookupError("the page has no form")
        self.paid += self._ask("POST", link, data=CARD | {"token": found[1]}).status_code == 303

    def _ask(self, method: str, url: str, **body: Any) -> httpx.Response:
        began = time.monotonic()
        headers = self._headers if "json" in body else {"accept": "text/html"}
        answer = httpx.request(method, url, headers=headers, timeout=20, **body)
        self.seconds.append(time.monotonic() - began)
        self.statuses.add(answer.status_code)
        return answer


def main() -> None:
    """Pay until the standard input ends; the key is its first line. A line is printed after the first payment."""
    base_url, product_id = sys.argv[1:]
    customer = Customer(base_url, sys.stdin.readline().strip(), product_id)
    customer.pay()
    sys.stdout.write("\n")
    sys.stdout.flush()
    rest = threading.Thread(target=sys.stdin.read, daemon=True)
    rest.start()
    while rest.is_alive():
        customer.pay()
    told = {"seconds": customer.seconds, "statuses": sorted(customer.statuses), "paid": customer.paid}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
