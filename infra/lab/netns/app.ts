// The application of one region: answers with the region's name, can be told to fail every second request, and carries
// long transfers.
import { createServer } from 'node:http';
import { answerTransfer, TRANSFER_PATH } from './transfer-content.ts';

const [region = '', address = '', port = ''] = process.argv.slice(2);
let mode: 'ok' | 'brownout' = 'ok';
let requests = 0;

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://app');
  if (url.pathname === TRANSFER_PATH) {
    void answerTransfer(request, response, url.searchParams);
    return;
  }
  requests += 1;
  const isFailing = mode === 'brownout' && requests % 2 === 0;
  response.writeHead(isFailing ? 500 : 200, { 'x-anycast-region': region, 'content-type': 'text/plain' });
  response.end(isFailing ? 'error\n' : `${region}\n`);
});
// The agent's sentinel is an idle connection: it must not be taken for a stalled request.
server.headersTimeout = 0;
server.requestTimeout = 0;
server.timeout = 0;

process.on('message', (message) => {
  const wanted = (message as { mode?: unknown }).mode;
  if (wanted === 'ok' || wanted === 'brownout') mode = wanted;
});
server.listen(Number(port), address, () => process.send?.({ type: 'ready' }));
