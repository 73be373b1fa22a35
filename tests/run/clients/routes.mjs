// Serves the files below `app` as Next.js does, on the port of the first argument: a page at its folder, and what a
// `route.ts` exports for each method. Next.js itself is not installed: its request is the platform's here, and the
// elements of a page are written out as text.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import http from 'node:http';
import path from 'node:path';

const require = createRequire(path.join(process.cwd(), 'node_modules', 'none.js'));
const { transformSync } = require('esbuild');
const provided = { 'next/server': { NextRequest: Request } };

globalThis.element = (tag, properties, ...children) => {
  const attributes = Object.entries(properties ?? {}).map(([name, value]) => ` ${name}="${value}"`);
  return `<${tag}${attributes.join('')}>${children.join('')}</${tag}>`;
};

const load = (file) => {
  const options = { loader: path.extname(file).slice(1), format: 'cjs', jsxFactory: 'element' };
  const { code } = transformSync(readFileSync(file, 'utf8'), options);
  const module = { exports: {} };
  new Function('require', 'module', 'exports', code)((name) => provided[name] ?? require(name), module, module.exports);
  return module.exports;
};

const answerTo = async (request) => {
  const folder = path.join('app', new URL(request.url).pathname);
  const page = path.join(folder, 'page.tsx');
  const route = path.join(folder, 'route.ts');
  if (request.method === 'GET' && existsSync(page)) return new Response(load(page).default());
  const handler = existsSync(route) ? load(route)[request.method] : undefined;
  return handler ? handler(request) : new Response(null, { status: 404 });
};

http.createServer(async (incoming, outgoing) => {
  const parts = [];
  for await (const part of incoming) parts.push(part);
  const body = parts.length ? Buffer.concat(parts) : undefined;
  const { connection, 'content-length': _, ...headers } = incoming.headers;
  const address = `http://${incoming.headers.host}${incoming.url}`;
  const answer = await answerTo(new Request(address, { method: incoming.method, headers, body }));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
}).listen(Number(process.argv[2]), '127.0.0.1');
