// Names that a module has imported are bound before anything in it runs.
import { get } from 'node:https';
import { lookup } from 'node:dns/promises';

export default async (address, headers) => {
  await lookup('live.dodopayments.com').then(
    () => { throw new Error('it was looked up'); },
    (error) => { if (!error.message.startsWith('nicobar run: refused')) throw error; },
  );
  return new Promise((resolve, reject) => {
    get(address, { headers }, (response) => { response.resume(); resolve(response.statusCode); }).on('error', reject);
  });
};
