/** Images made of Debian's busybox-static: a shell, `sleep`, `nc`, `httpd`; and the pause image of sandboxes. */
import { buildImage, type ImageFile, type LayerFiles } from './build-image.js';

export const BUSYBOX_PATH = '/bin/busybox';
const APPLETS = [
  'sh',
  'sleep',
  'cat',
  'echo',
  'env',
  'ls',
  'id',
  'hostname',
  'date',
  'kill',
  'nc',
  'httpd',
  'head',
  'tail',
  'grep',
  'mkdir',
  'rm',
  'touch',
  'true',
  'false',
  'test',
  'tar',
  'wc',
  'seq',
  'ps',
  'ip',
  'printf',
  'sync',
  'dd',
  'sed',
  'awk',
  'readlink',
  'stat',
  'mount',
];

/** A small root with busybox and the links to it. */
export function busyboxFiles(busybox = BUSYBOX_PATH): LayerFiles {
  const links = APPLETS.map((applet): [string, ImageFile] => [`/bin/${applet}`, { kind: 'link', to: 'busybox' }]);
  return {
    '/bin/busybox': { kind: 'copy', from: busybox, mode: 0o755 },
    ...Object.fromEntries(links),
    '/tmp': { kind: 'directory', mode: 0o1777 },
    '/etc/passwd': { kind: 'file', data: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' },
    '/etc/group': { kind: 'file', data: 'root:x:0:\nnogroup:x:65534:\n' },
    '/root': { kind: 'directory' },
    '/var': { kind: 'directory' },
  };
}

export function buildBusyboxImage(name: string, output: string, busybox = BUSYBOX_PATH): Promise<string> {
  return buildImage({ name, output, command: ['/bin/sh'], files: busyboxFiles(busybox) });
}

/** A sandbox's first process: it sleeps, and ends when it is told to. */
export const PAUSE_ENTRYPOINT = [
  '/bin/busybox',
  'sh',
  '-c',
  'trap "exit 0" TERM INT; while :; do /bin/busybox sleep 3600 & wait $!; done',
];

export function buildPauseImage(name: string, output: string, busybox = BUSYBOX_PATH): Promise<string> {
  return buildImage({
    name,
    output,
    entrypoint: PAUSE_ENTRYPOINT,
    files: { '/bin/busybox': { kind: 'copy', from: busybox, mode: 0o755 } },
  });
}
