/** Images made of Debian's busybox-static: a shell, `sleep`, `nc`, `httpd`; and the pause image of sandboxes. */
import { buildImage } from './build-image.js';

export const BUSYBOX_PATH = '/bin/busybox';
const APPLETS = ['sh', 'sleep', 'cat', 'echo', 'env', 'ls', 'id', 'hostname', 'date', 'kill', 'nc', 'httpd', 'head', 'tail', 'grep', 'mkdir', 'rm', 'touch',
  'true', 'false', 'test', 'tar', 'wc', 'seq', 'ps', 'ip', 'printf', 'sync', 'dd', 'sed', 'awk', 'readlink', 'stat', 'mount'];

/** A small root with busybox and the links to it. */
export function buildBusyboxImage(name: string, output: string, busybox = BUSYBOX_PATH): Promise<string> {
  const links = Object.fromEntries(APPLETS.map((applet) => [`/bin/${applet}`, { kind: 'link', to: 'busybox' } as const]));
  return buildImage({
    name, output, command: ['/bin/sh'],
    files: {
      '/bin/busybox': { kind: 'copy', from: busybox, mode: 0o755 }, ...links,
      '/tmp': { kind: 'directory', mode: 0o1777 },
      '/etc/passwd': { kind: 'file', data: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' },
      '/etc/group': { kind: 'file', data: 'root:x:0:\nnogroup:x:65534:\n' },
      '/root': { kind: 'directory' }, '/var': { kind: 'directory' },
    },
  });
}

/** A sandbox's first process: it sleeps, and ends when it is told to. */
export function buildPauseImage(name: string, output: string, busybox = BUSYBOX_PATH): Promise<string> {
  return buildImage({
    name, output, entrypoint: ['/bin/busybox', 'sh', '-c', 'trap "exit 0" TERM INT; while :; do /bin/busybox sleep 3600 & wait $!; done'],
    files: { '/bin/busybox': { kind: 'copy', from: busybox, mode: 0o755 } },
  });
}
