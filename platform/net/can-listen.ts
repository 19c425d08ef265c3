/** Whether an address is free to listen on; one that this machine does not have yet counts as free. */
import { createServer } from 'node:net';

export function canListen({ host, port }: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    server.listen({ host, port, exclusive: true }, () => void server.close(() => resolve(true)));
  });
}
