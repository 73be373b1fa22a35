'use strict';
// The start-up hook of `nicobar run` for Node: loaded before the program, in every process, child and worker thread.
//
// Every client of Node ends up at `net.Socket.prototype.connect` and, for https, at `tls.connect`: fetch, undici in any
// version, http, https and http2, and what is built on them. So the vendor's hosts are led to the forwarder here, and
// nowhere else. A TLS connection that names one of them trusts the forwarder's throw-away certificate and nothing
// else: should one get past this (through a proxy, by a number), it fails before a request is sent.

const { NICOBAR_REDIRECT, NODE_OPTIONS, PYTHONPATH } = process.env;
const ONCE = Symbol.for('nicobar run');

if (NICOBAR_REDIRECT && !globalThis[ONCE]) {
  globalThis[ONCE] = true;

  const childProcess = require('node:child_process');
  const dns = require('node:dns');
  const fs = require('node:fs');
  const { syncBuiltinESMExports } = require('node:module');
  const net = require('node:net');
  const tls = require('node:tls');
  const workerThreads = require('node:worker_threads');

  const [, tlsPort, plainPort, baseUrl, certificateFile] = /^(\d+) (\d+) (\S+) (.*)$/s.exec(NICOBAR_REDIRECT);
  const certificate = fs.readFileSync(certificateFile);
  const REDIRECTED = new Set([
    'test.dodopayments.com',
    'live.dodopayments.com',
    'test.checkout.dodopayments.com',
    'checkout.dodopayments.com',
  ]);

  const named = (host) => (typeof host === 'string' ? host.toLowerCase().replace(/\.$/, '') : '');
  const isVendors = (host) => /(^|\.)dodopayments\.(com|tech)$/.test(named(host));

  // Writes past console and streams, which a worker thread or a dying process may never flush.
  const refusal = (host, how) => {
    const message = `nicobar run: refused ${how} ${host}: nothing leaves for the vendor.`;
    fs.writeSync(2, `${message}\n`);
    return Object.assign(new Error(message), { code: 'ECONNREFUSED', hostname: host });
  };

  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function (...given) {
    // net.connect hands over [options, callback] as one list, which it has marked as put in order.
    const [options, callback] = Array.isArray(given[0]) ? given[0] : net._normalizeArgs(given);
    if (!isVendors(options.host)) return connect.apply(this, given);
    if (!REDIRECTED.has(named(options.host))) {
      process.nextTick(() => this.destroy(refusal(options.host, 'a connection to')));
      return this;
    }
    const port = Number(options.port) === 80 ? plainPort : tlsPort;
    return connect.call(this, { ...options, host: '127.0.0.1', port: Number(port), lookup: undefined }, callback);
  };

  const connectTls = tls.connect;
  tls.connect = function (...given) {
    const callback = typeof given[given.length - 1] === 'function' ? given[given.length - 1] : undefined;
    const [first, second] = given;
    const places = typeof first === 'object' && first !== null ? {} : { port: first };
    if (typeof second === 'string') places.host = second;
    const options = Object.assign(places, ...given.filter((part) => typeof part === 'object' && part !== null));
    const name = options.servername || options.host;
    if (!isVendors(name) && !isVendors(options.host)) return connectTls.apply(this, given);
    const trust = {
      ca: certificate,
      rejectUnauthorized: true,
      checkServerIdentity: tls.checkServerIdentity,
      secureContext: undefined,
      session: undefined,
    };
    const socket = connectTls.call(this, { ...options, servername: name, ...trust }, callback);
    if (String(options.ALPNProtocols) === 'h2') {
      process.nextTick(() => socket.destroy(refusal(name, 'HTTP/2, which is not spoken here, with')));
    }
    return socket;
  };

  // Whoever asks for an address to connect to it later would leave: connections that are led here ask for none.
  const guard = (owner, name, promised) => {
    const original = owner[name];
    if (typeof original !== 'function') return;
    owner[name] = function (host, ...rest) {
      if (!isVendors(host)) return original.call(this, host, ...rest);
      const error = refusal(host, 'to look up');
      if (promised) return Promise.reject(error);
      process.nextTick(rest[rest.length - 1], error);
      return {};
    };
  };
  const lookups = ['lookup', 'resolve', 'resolve4', 'resolve6', 'resolveAny', 'resolveCname'];
  for (const name of lookups) {
    for (const owner of [dns, dns.Resolver.prototype]) guard(owner, name, false);
    for (const owner of [dns.promises, dns.promises.Resolver.prototype]) guard(owner, name, true);
  }

  // The official SDK refuses an address beside `environment`, which adapters always give, so this process does not see
  // it: its requests are led here anyway. Children do, because not all of them are Node. They and worker threads get
  // the hooks, too, where the program makes up an environment for them.
  delete process.env.DODO_PAYMENTS_BASE_URL;
  const inherited = { NICOBAR_REDIRECT, PYTHONPATH, DODO_PAYMENTS_BASE_URL: baseUrl };
  const handedOn = (environment) => {
    const options = environment.NODE_OPTIONS || '';
    const hook = options.includes(__filename) ? options : `${options} ${NODE_OPTIONS}`.trim();
    return { ...inherited, ...environment, NODE_OPTIONS: hook };
  };

  const { spawn } = childProcess.ChildProcess.prototype;
  childProcess.ChildProcess.prototype.spawn = function (options) {
    const split = (pair) => [pair.slice(0, pair.indexOf('=', 1)), pair.slice(pair.indexOf('=', 1) + 1)];
    const environment = handedOn(Object.fromEntries((options.envPairs || []).map(split)));
    const pairs = Object.entries(environment).filter(([, value]) => value !== undefined);
    return spawn.call(this, { ...options, envPairs: pairs.map(([name, value]) => `${name}=${value}`) });
  };
  for (const name of ['spawnSync', 'execFileSync', 'execSync']) {
    const original = childProcess[name];
    childProcess[name] = function (command, ...rest) {
      const args = rest.filter(Array.isArray);
      const options = rest.find((part) => part && typeof part === 'object' && !Array.isArray(part)) || {};
      return original.call(this, command, ...args, { ...options, env: handedOn(options.env || process.env) });
    };
  }
  workerThreads.Worker = class Worker extends workerThreads.Worker {
    constructor(file, options = {}) {
      const madeUp = options.env && typeof options.env === 'object';
      super(file, madeUp ? { ...options, env: handedOn(options.env) } : options);
    }
  };

  syncBuiltinESMExports();
}
