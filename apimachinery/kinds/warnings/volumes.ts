/** Volumes of a pod: sources that are gone, and files that hide each other. */
import { at, field, recs, str, type Rec } from '../lib/value.js';
import { claimSpecWarnings, GONE_VOLUMES, quoted, volumeFieldName } from './common.js';

interface File {
  readonly path: string;
  readonly source: string;
  readonly index: number;
}

export function volumeWarnings(volumes: readonly Rec[], path: string): string[] {
  const gone = volumes.flatMap((volume, index) => {
    const here = `${path}[${index}]`;
    const template = at(volume, 'ephemeral', 'volumeClaimTemplate');
    return [
      ...GONE_VOLUMES.filter(([name]) => volume[name] !== undefined).map(
        ([name, message]) => `${here}.${volumeFieldName(name)}: ${message}`,
      ),
      ...(template === undefined
        ? []
        : claimSpecWarnings(field(template, 'spec'), `${here}.ephemeral.volumeClaimTemplate.spec`)),
    ];
  });
  return [...gone, ...volumes.flatMap(overlapWarnings)];
}

function overlapWarnings(volume: Rec): string[] {
  const name = quoted(str(volume['name']));
  const say = (what: string, files: readonly Omit<File, 'index'>[]): string[] =>
    overlaps(files).map((pair) => `volume ${name} (${what}): overlapping paths: ${pair}`);
  const mapped = (source: unknown) =>
    recs(field(source, 'items')).map((item) => ({ path: str(item['path']), source: '' }));
  const { configMap, secret, downwardAPI } = volume;
  const sources = recs(at(volume, 'projected', 'sources'));
  return [
    ...say(`ConfigMap ${quoted(str(field(configMap, 'name')))}`, mapped(configMap)),
    ...say(`Secret ${quoted(str(field(secret, 'secretName')))}`, mapped(secret)),
    ...say('DownwardAPI', mapped(downwardAPI)),
    ...sources
      .filter((source) => Object.keys(source).length === 0)
      .map(() => `volume ${name} (Projected) has no sources provided`),
    ...say('Projected', sources.flatMap(projectedFiles)),
  ];
}

function projectedFiles(source: Rec): Omit<File, 'index'>[] {
  const files = (from: unknown, what: string) =>
    recs(field(from, 'items')).map((item) => ({ path: str(item['path']), source: what }));
  const {
    configMap,
    secret,
    downwardAPI,
    serviceAccountToken: token,
    clusterTrustBundle: bundle,
    podCertificate: certificate,
  } = source;
  if (configMap !== undefined) return files(configMap, `ConfigMap ${quoted(str(field(configMap, 'name')))}`);
  if (secret !== undefined) return files(secret, `Secret ${quoted(str(field(secret, 'name')))}`);
  if (downwardAPI !== undefined) return files(downwardAPI, 'DownwardAPI');
  if (token !== undefined) return [{ path: str(field(token, 'path')), source: 'ServiceAccountToken' }];
  if (bundle !== undefined)
    return [
      {
        path: str(field(bundle, 'path')),
        source: `ClusterTrustBundle ${quoted(str(field(bundle, 'name') ?? field(bundle, 'signerName')))}`,
      },
    ];
  return [
    ['certificateChainPath', 'chain'],
    ['keyPath', 'key'],
    ['credentialBundlePath', 'credential bundle'],
  ]
    .map(([name = '', what = '']) => ({ path: str(field(certificate, name)), source: `PodCertificate ${what}` }))
    .filter((file) => file.path !== '');
}

const shown = ({ path, source }: File): string => (source === '' ? quoted(path) : `${quoted(path)} (${source})`);

/** Pairs of which one is the other, or a folder above it. Costs the depth of each path, not the number of others. */
function overlaps(files: readonly Omit<File, 'index'>[]): string[] {
  const exact = new Map<string, File[]>();
  const below = new Map<string, File[]>();
  const add = (to: Map<string, File[]>, key: string, file: File): void =>
    void to.set(key, [...(to.get(key) ?? []), file].slice(0, PAIRS_MAX));
  const pairs: string[] = [];
  for (const [index, given] of files.entries()) {
    if (pairs.length >= PAIRS_MAX) break;
    const file = { ...given, path: given.path.replace(/\/+$/, ''), index };
    if (file.path === '') continue;
    const folders = foldersOf(file.path);
    const others = [
      ...(exact.get(file.path) ?? []),
      ...(below.get(file.path) ?? []),
      ...folders.flatMap((folder) => exact.get(folder) ?? []),
    ];
    for (const other of others.sort((a, b) => a.index - b.index)) pairs.push(`${shown(file)} with ${shown(other)}`);
    add(exact, file.path, file);
    for (const folder of folders) add(below, folder, file);
  }
  return pairs.slice(0, PAIRS_MAX);
}

/** More are never sent: the headers of an answer have an end. */
const PAIRS_MAX = 64;
const DEPTH_MAX = 64;

function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let at_ = path.indexOf('/'); at_ >= 0 && folders.length < DEPTH_MAX; at_ = path.indexOf('/', at_ + 1))
    folders.push(path.slice(0, at_));
  return folders.filter((folder) => folder !== '');
}
