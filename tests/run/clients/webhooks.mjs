// Receivers of the adapters, behind one address: prints what each answers to the first webhook, and ends.
import http from 'node:http';
import { createRequire } from 'node:module';
import express from 'express';
import { Hono } from 'hono';
import * as onHono from '@dodopayments/hono';
import { createDodoWebhookHandler } from '@dodopayments/convex';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { dodopayments, webhooks } from '@dodopayments/better-auth';
import DodoPayments from 'dodopayments';

const require = createRequire(import.meta.url);
const webhookKey = process.env.DODO_PAYMENTS_WEBHOOK_KEY;
const heard = [];
const onPaymentSucceeded = async (...given) => {
  const payload = given.find((part) => part && part.type);
  heard.push([payload.type, payload.data.total_amount, payload.data.currency]);
};

const app = express().use(express.json());
app.post('/hook', require('@dodopayments/express').Webhooks({ webhookKey, onPaymentSucceeded }));
const server = await new Promise((resolve) => { const made = app.listen(0, '127.0.0.1', () => resolve(made)); });
const hono = new Hono().post('/hook', onHono.Webhooks({ webhookKey, onPaymentSucceeded }));
const next = require('@dodopayments/nextjs').Webhooks({ webhookKey, onPaymentSucceeded });
const convex = createDodoWebhookHandler({ onPaymentSucceeded });
const auth = betterAuth({
  baseURL: 'http://shop.example',
  secret: 'a secret that is long enough for a test',
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  plugins: [dodopayments({
    client: new DodoPayments({ environment: 'live_mode' }),
    use: [webhooks({ webhookKey, onPaymentSucceeded })],
  })],
});

const receivers = {
  express: (options) => fetch(`http://127.0.0.1:${server.address().port}/hook`, options),
  hono: (options) => hono.request('/hook', options),
  nextjs: (options) => next(new Request('http://shop.example/hook', options)),
  convex: (options) => convex._handler({}, new Request('http://shop.example/hook', options)),
  'better-auth': (options) => auth.handler(new Request('http://shop.example/api/auth/dodopayments/webhooks', options)),
};

http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const { host, connection, 'content-length': _, ...headers } = request.headers;
  const options = { method: 'POST', headers, body: Buffer.concat(parts) };
  const answers = {};
  for (const [name, receive] of Object.entries(receivers)) answers[name] = (await receive(options)).status;
  response.writeHead(200).end(() => {
    console.log(JSON.stringify({ answers, heard }));
    process.exit(0);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
