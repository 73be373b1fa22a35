// A shop that sells a subscription with the npm adapters: its server, asked by whoever plays its customers.
import { createRequire } from 'node:module';
import express from 'express';
import DodoPayments from 'dodopayments';
import { handleWebhookPayload, verifyWebhookPayload } from '@dodopayments/core/webhook';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { dodopayments } from '@dodopayments/better-auth';

const onExpress = createRequire(import.meta.url)('@dodopayments/express');

const bearerToken = process.env.DODO_PAYMENTS_API_KEY;
const webhookKey = process.env.DODO_PAYMENTS_WEBHOOK_KEY;
const environment = 'live_mode';
const client = new DodoPayments({ bearerToken, environment, webhookKey });

const auth = betterAuth({
  baseURL: 'http://shop.example',
  secret: 'a secret that is long enough for a test',
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  emailAndPassword: { enabled: true },
  plugins: [dodopayments({ client, createCustomerOnSignUp: true, use: [] })],
});

const heard = [];
const handled = [];
const keepRaw = (request, response, bytes) => { request.raw = bytes.toString(); };
const app = express().use(express.json({ verify: keepRaw }));

app.post('/sign-up', async (request, response) => {
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body: request.raw };
  const signedUp = await auth.handler(new Request('http://shop.example/api/auth/sign-up/email', options));
  const customers = await client.customers.list({ email: request.body.email });
  response.json({ status: signedUp.status, customers: customers.items.map((each) => each.customer_id) });
});
app.post('/checkout', onExpress.checkoutHandler({ bearerToken, environment, type: 'session' }));
app.get('/portal', onExpress.CustomerPortal({ bearerToken, environment }));
app.post('/upgrade', async (request, response) => {
  const { subscription_id: id, ...plan } = request.body;
  const preview = await client.subscriptions.previewChangePlan(id, plan);
  await client.subscriptions.changePlan(id, plan);
  response.json({ charged: preview.immediate_charge.summary.total_amount });
});
app.post('/new-card', async (request, response) => {
  response.json(await client.subscriptions.updatePaymentMethod(request.body.subscription_id, { payment_method: { type: 'new' } }));
});

// Every webhook is read by the adapters' core, by the SDK and by the adapter for this framework.
const onPayload = async (payload) => { handled.push(payload.type); };
const adapter = onExpress.Webhooks({ webhookKey, onPayload });
app.post('/hook', async (request, response) => {
  const headers = Object.fromEntries(['id', 'timestamp', 'signature'].map((name) => [`webhook-${name}`, request.headers[`webhook-${name}`]]));
  const core = await verifyWebhookPayload({ webhookKey, headers, body: request.raw });
  const sdk = client.webhooks.unwrap(request.raw, { headers });
  heard.push({ types: [core.type, sdk.type], headers, body: request.raw });
  // The adapter for this framework brings an older core along, which does not know this type.
  if (core.type !== 'subscription.update_payment_method') return adapter(request, response);
  await handleWebhookPayload(core, { webhookKey, onPayload });
  return response.json({});
});
app.get('/heard', (request, response) => response.json({ heard, handled, webhookKey }));
app.post('/end', (request, response) => response.json({}).on('finish', () => process.exit(0)));
app.listen(Number(process.argv[2]), '127.0.0.1');
