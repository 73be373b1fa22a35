"""A shop with the hosted service built in: makes a payment, and opens its link with the official overlay script."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from dodopayments import DodoPayments

PORT, PRODUCT, SCRIPT = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])

PAGE = """<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">
<script src="/checkout.js"></script><h1>Shop</h1><a href="%s">Pay</a><script>
const events = [];
const onEvent = (event) => { events.push(event); sessionStorage.events = JSON.stringify(events); };
DodoPaymentsCheckout.DodoPayments.Initialize({ mode: "live", displayType: "overlay", onEvent });
</script>"""


class Shop(BaseHTTPRequestHandler):
    """Its page, the script, and where its customers return to."""

    def do_GET(self) -> None:
        """Serve one of them."""
        if self.path == "/checkout.js":
            self._answer(SCRIPT.read_text(), "text/javascript")
        elif self.path.startswith("/thanks"):
            self._answer("<!doctype html><html lang=en><title>Shop</title><h1>Thank you</h1>", "text/html")
        else:
            with DodoPayments(environment="live_mode") as client:
                payment = client.post(
                    "/payments",
                    cast_to=object,
                    body={
                        "billing": {"country": "DE", "zipcode": "10115", "city": "Berlin"},
                        "customer": {"email": "ana@example.com", "name": "Ana"},
                        "product_cart": [{"product_id": PRODUCT, "quantity": 1}],
                        "payment_link": True,
                        "return_url": f"http://127.0.0.1:{PORT}/thanks",
                    },
                )
            assert isinstance(payment, dict)
            self._answer(PAGE % payment["payment_link"], "text/html")

    def _answer(self, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", f"{kind}; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("127.0.0.1", PORT), Shop).serve_forever()
