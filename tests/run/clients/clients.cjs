'use strict';
// A shop in Node that knows only the hosted service. Prints one JSON object: how each way of asking it went.
const childProcess = require('node:child_process');
const dns = require('node:dns');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const tls = require('node:tls');
const { Worker } = require('node:worker_threads');
const axios = require('axios');
const DodoPayments = require('dodopayments');
const undici = require('undici');

const [, , proxy, ownPort] = process.argv;
const LIVE = 'https://live.dodopayments.com/products';
const TEST = 'https://test.dodopayments.com/products';
const headers = { authorization: 'Bearer key_of_the_hosted_service' };

const get = (module, address, options = {}) =>
  new Promise((resolve, reject) => {
    const request = module.get(address, { headers, ...options }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
  });
const ended = (emitter) => new Promise((resolve, reject) => emitter.on('exit', resolve).on('error', reject));
const failed = (emitter, name) => new Promise((resolve, reject) => emitter.on('error', reject).on(name, resolve));
const status = (answer) => answer.status ?? answer.statusCode;
const unverified = { rejectUnauthorized: false, ca: 'no certificate' };
const CHILD = `fetch('${LIVE}', {headers: {authorization: 'Bearer x'}}).then((answer) => { process.exitCode = answer.status / 10 })`;

const ways = {
  fetch: () => fetch(LIVE, { headers }).then(status),
  'fetch of a Request': () => fetch(new Request(TEST, { headers })).then(status),
  'http.get': () => get(http, 'http://test.dodopayments.com/products'),
  'https.get': () => get(https, LIVE),
  'https.get with an agent': () => get(https, TEST, { agent: new https.Agent({ keepAlive: false, ...unverified }) }),
  'https.get in capitals': () => get(https, 'https://LIVE.DodoPayments.com./products'),
  axios: () => axios.get(LIVE, { headers }).then(status),
  undici: () => undici.request(TEST, { headers }).then(status),
  'undici with HTTP/2': () => undici.fetch(LIVE, { headers, dispatcher: new undici.Agent({ allowH2: true, connect: unverified }) }).then(status),
  'SDK in live mode': () => new DodoPayments({ environment: 'live_mode' }).products.list().then((page) => page.items.length),
  'SDK in test mode': () => new DodoPayments({ environment: 'test_mode', bearerToken: 'x' }).products.list().then((page) => page.items.length),
  'SDK as it is': () => new DodoPayments().products.list().then((page) => page.items.length),
  'SDK with an address': () => new DodoPayments({ baseURL: 'https://live.dodopayments.com' }).products.list().then((page) => page.items.length),
  'module with named imports': async () => (await import('./imports.mjs')).default(LIVE, headers),
  'checkout page': () => fetch('https://checkout.dodopayments.com/health').then(status),
  'worker thread': () => ended(new Worker(CHILD, { eval: true })),
  'worker thread with an environment': () => ended(new Worker(CHILD, { eval: true, env: {}, execArgv: [] })),
  child: () => ended(childProcess.spawn(process.execPath, ['-e', CHILD])),
  'child with an environment': () => ended(childProcess.spawn(process.execPath, ['-e', CHILD], { env: {} })),
  'child by execFileSync': () => childProcess.execFileSync(process.execPath, ['-p', `'done'`], { encoding: 'utf8' }).trim(),
  'address of this process': async () => String(process.env.DODO_PAYMENTS_BASE_URL),
  'address of a shell': async () => childProcess.execSync('echo $DODO_PAYMENTS_BASE_URL', { encoding: 'utf8' }).trim(),
  'key for live mode': () => fetch(LIVE, { headers: { authorization: 'Bearer nicobar_live_abc' } }).then(status),

  'another host': () => fetch('https://docs.dodopayments.com/'),
  'another domain': () => fetch('https://wsserver.dodopayments.tech/'),
  'look-up': () => dns.promises.lookup('live.dodopayments.com'),
  'look-up by a resolver': () => new dns.promises.Resolver().resolve4('test.dodopayments.com'),
  'look-up with a callback': () => new Promise((resolve, reject) => dns.lookup('live.dodopayments.com', (error, found) => (error ? reject(error) : resolve(found)))),
  'HTTP/2': () => failed(http2.connect('https://live.dodopayments.com'), 'connect'),
  'TLS by number': () => failed(tls.connect({ host: '127.0.0.1', port: Number(ownPort), servername: 'live.dodopayments.com', rejectUnauthorized: false }), 'secureConnect'),
  'a proxy of its own': () => undici.fetch(LIVE, { dispatcher: new undici.ProxyAgent({ uri: proxy, requestTls: unverified }) }),
};

(async () => {
  const results = {};
  for (const [name, way] of Object.entries(ways)) {
    try {
      const result = await way();
      results[name] = typeof result === 'object' ? 'IT LEFT' : result;
    } catch (error) {
      const cause = error.cause ?? error;
      results[name] = /^nicobar run: refused/.test(cause.message) ? 'refused' : `failed: ${cause.code}`;
    }
  }
  console.log(JSON.stringify(results));
  process.exit(0);
})();
