import time
import pytest
from conftest import Merchant, Server
import dodopayments

async def test_a(merchant, other_merchant):
    r = await merchant.client.post("/products", json={"name":" A ","tax_category":"saas","price":{"type":"one_time_price","currency":"USD","price":500}})
    print(r.status_code, r.text)
    for i in range(3):
        t=time.perf_counter()
        r = await merchant.client.get("/products")
        print(r.status_code, r.text, time.perf_counter()-t)

@pytest.mark.parametrize("n", range(30))
async def test_b(merchant, n):
    pass

def test_c(server: Server):
    c = dodopayments.DodoPayments(bearer_token=server.key, base_url=server.base_url, _strict_response_validation=True)
    print(c.misc.list_locales())
    c.close()
