// Receivers of webhooks as shops run them. Prints its port, then one JSON line for each request: who judged, and how.
const express = require("express");
const { Webhook } = require("standardwebhooks");
const DodoPayments = require("dodopayments");
const core = require("@dodopayments/core/webhook");
const old = require("core-of-march/webhook");

const webhookKey = process.argv[2];
const app = express();
const told = (receiver, payload) =>
  console.log(JSON.stringify({ receiver, type: payload.type, object: payload.data.payment_id, kind: payload.data.payload_type }));

// The adapters answer by themselves: 401 for a signature, 400 for a shape.
app.post("/express", express.json(), require("@dodopayments/express").Webhooks({
  webhookKey, onPayload: async (payload) => told("express", payload),
}));

const nextjs = require("@dodopayments/nextjs").Webhooks({
  webhookKey, onPayload: async (payload) => told("nextjs", payload),
});
app.post("/nextjs", express.text({ type: "*/*", limit: "1mb" }), async (request, response) => {
  const answer = await nextjs(new Request("http://shop.example/nextjs", {
    method: "POST", headers: request.headers, body: request.body,
  }));
  response.status(answer.status).send(await answer.text());
});

const judged = (name, judge) => app.post(`/${name}`, express.text({ type: "*/*", limit: "1mb" }), async (request, response) => {
  try {
    told(name, await judge(request.body, request.headers));
    response.sendStatus(200);
  } catch (error) {
    response.status(400).send(String(error.message).slice(0, 900));
  }
});
judged("standardwebhooks", async (body, headers) => new Webhook(webhookKey).verify(body, headers));
judged("sdk", async (body, headers) => new DodoPayments({ bearerToken: "x" }).webhooks.unwrap(body, { headers, key: webhookKey }));
judged("core", (body, headers) => core.verifyWebhookPayload({ webhookKey, headers, body }));
judged("core-of-march", (body, headers) => old.verifyWebhookPayload({ webhookKey, headers, body }));
judged("written-anew", async (body, headers) => {
  const payload = JSON.parse(body);
  if (JSON.stringify(payload) !== body) throw new Error("JavaScript writes other bytes");
  return new Webhook(webhookKey).verify(JSON.stringify(payload), headers);
});

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
