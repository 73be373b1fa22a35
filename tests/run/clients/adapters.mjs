// The adapters of the hosted service as their pages tell a shop to use them. Prints one JSON object: what each has done.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import express from 'express';
import { Hono } from 'hono';
import DodoPayments from 'dodopayments';
import { buildCheckoutUrl } from '@dodopayments/core/checkout';
import * as onHono from '@dodopayments/hono';

const require = createRequire(import.meta.url);
const onExpress = require('@dodopayments/express');
const onNext = require('@dodopayments/nextjs');

const [, , productId, customerId, ...served] = process.argv;
const bearerToken = process.env.DODO_PAYMENTS_API_KEY;
const environment = process.env.SHOPS_ENVIRONMENT;
const returnUrl = 'https://shop.example/thanks';
const config = { bearerToken, environment, returnUrl };

const billing = { street: 'Riverside 1', city: 'Berlin', state: 'Berlin', country: 'DE', zipcode: '10115' };
const dynamic = { product_id: productId, quantity: 2, billing, customer: { email: 'ana@example.com', name: 'Ana' } };
const session = { product_cart: [{ product_id: productId, quantity: 2 }], customer: dynamic.customer };
const json = { 'content-type': 'application/json' };
const post = (body) => ({ method: 'POST', headers: json, body: JSON.stringify(body) });

// Every framework gets the same routes; a shop is asked by `ask(asked, options)`.
const types = ['static', 'dynamic', 'session'];
const shops = {};

shops.core = async (asked, options) => {
  const type = asked.slice(1).split('?')[0];
  const query = Object.fromEntries(new URL(asked, 'http://shop.example').searchParams);
  const body = options && JSON.parse(options.body);
  const given = { static: { queryParams: query }, dynamic: { body }, session: { sessionPayload: body } }[type];
  return Response.json({ checkout_url: await buildCheckoutUrl({ ...given, ...config, type }) });
};

const app = express().use(express.json());
for (const type of types) app.all(`/${type}`, onExpress.checkoutHandler({ ...config, type }));
app.get('/portal', onExpress.CustomerPortal(config));
const server = await new Promise((resolve) => { const made = app.listen(0, '127.0.0.1', () => resolve(made)); });
shops.express = (asked, options) => fetch(`http://127.0.0.1:${server.address().port}${asked}`, { redirect: 'manual', ...options });

shops.nextjs = async (asked, options) => {
  const type = asked.slice(1).split('?')[0];
  const request = new Request(`http://shop.example${asked}`, options);
  if (type === 'portal') return onNext.CustomerPortal(config)(request);
  return onNext.Checkout({ ...config, type })(request);
};

const hono = new Hono();
for (const type of types) hono.all(`/${type}`, onHono.Checkout({ ...config, type }));
hono.get('/portal', onHono.CustomerPortal(config));
shops.hono = (asked, options) => hono.request(asked, options);

const betterAuth = async () => {
  const { betterAuth: make } = await import('better-auth');
  const { memoryAdapter } = await import('better-auth/adapters/memory');
  const { magicLink } = await import('better-auth/plugins');
  const { dodopayments, checkout, portal } = await import('@dodopayments/better-auth');
  const client = new DodoPayments({ bearerToken, environment });
  const use = [checkout({ products: [{ productId, slug: 'guide' }], successUrl: '/thanks' }), portal()];
  const mailed = [];
  const byMail = magicLink({ sendMagicLink: async ({ url }) => void mailed.push(url) });
  const auth = make({
    baseURL: 'http://shop.example',
    secret: 'a secret that is long enough for a test',
    database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
    emailAndPassword: { enabled: true },
    plugins: [byMail, dodopayments({ client, createCustomerOnSignUp: true, use })],
  });
  const ask = (asked, body) => auth.handler(new Request(`http://shop.example/api/auth${asked}`, post(body)));
  await ask('/sign-up/email', { email: 'bea@example.com', password: 'long enough', name: 'Bea' });
  await ask('/sign-in/magic-link', { email: 'cy@example.com' });  // who signs up like this has no name yet
  await auth.handler(new Request(mailed[0]));
  const signedUp = await Promise.all(['bea', 'cy'].map((who) => client.customers.list({ email: `${who}@example.com` })));
  const found = { 'customers of sign-ups': signedUp.map(({ items }) => items.map(({ email, name }) => [email, name])) };
  found.dynamic = (await (await ask('/dodopayments/checkout', { ...dynamic, slug: 'guide' })).json()).url;
  const asSession = { slug: 'guide', customer: dynamic.customer };
  found.session = (await (await ask('/dodopayments/checkout-session', asSession)).json()).url;
  return found;
};

// The component runs in Convex's cloud. Here a shop's function calls its actions itself, as `ctx.runAction` does there.
const convex = async () => {
  const { DodoPayments: Component } = await import('@dodopayments/convex');
  const folder = path.dirname(require.resolve('@dodopayments/convex'));
  const lib = await import(pathToFileURL(path.join(folder, 'component', 'lib.js')));
  const identify = async () => ({ dodoCustomerId: customerId });
  const api = new Component({ lib }, { apiKey: bearerToken, environment, identify }).api();
  const ctx = { runAction: (action, args) => action._handler({}, args) };
  const found = { session: (await api.checkout(ctx, { payload: session })).checkout_url };
  if (served.includes('portal')) found.portal = (await api.customerPortal(ctx, {})).portal_url;
  return found;
};

const results = {};
for (const [name, ask] of Object.entries(shops)) {
  results[name] = {};
  for (const type of types) {
    const options = { static: undefined, dynamic: post(dynamic), session: post(session) }[type];
    const answer = await ask(type === 'static' ? `/static?productId=${productId}&quantity=2` : `/${type}`, options);
    const text = await answer.text();
    results[name][type] = answer.ok ? JSON.parse(text).checkout_url : `${answer.status} ${text}`;
  }
  // A static link names the hosted checkout; whatever opens it in this program comes to this server's session, too.
  const opened = await fetch(results[name].static, { redirect: 'manual' });
  results[name]['opened static'] = [opened.status, opened.headers.get('location')];
  if (served.includes('portal') && name !== 'core') {
    const answer = await ask(`/portal?customer_id=${customerId}`);
    results[name].portal = answer.headers.get('location');
  }
}
results['better-auth'] = await betterAuth();
results.convex = await convex();
console.log(JSON.stringify(results));
process.exit(0);
