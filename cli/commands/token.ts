/**
 * `navarch token`: what new workers and members show when they join. Workers' tokens are objects of the cluster, as
 * kubeadm's are.
 */
import type { Command } from 'commander';
import {
  BOOTSTRAP_TOKEN_NAMESPACE,
  BOOTSTRAP_TOKEN_TYPE,
  hasExpired,
  isBootstrapGroup,
  isTokenId,
  NODE_JOINERS_GROUP,
  parseTokenText,
  readTokenSecret,
  TOKEN_USAGES,
  tokenSecret,
  tokenSecretName,
  type BootstrapToken,
} from '../../apimachinery/bootstrap-token.js';
import { parseDuration } from '../../apimachinery/duration.js';
import { secrets } from '../../apimachinery/gen/resources.js';
import type { Secret } from '../../apimachinery/gen/types.js';
import { isApiError } from '../../apimachinery/status.js';
import { systemClock } from '../../platform/clock.js';
import { authorityPin } from '../../platform/pki/x509.js';
import { systemRandom, type Random } from '../../platform/random.js';
import type { Client } from '../../sdk/client.js';
import { connect } from '../../sdk/grpc/connect.js';
import { resolveAccess, type AccessFlags } from './access.js';
import { UserError } from '../../platform/user-error.js';
import { formatJoinToken } from '../../platform/pki/join-token.js';
import { defaultDataDir, layout } from '../lib/paths.js';
import type { Access } from '../../services/server/cluster/member-calls.js';
import { requirePki } from './pki.js';

interface CreateFlags {
  readonly ttl: string;
  readonly description: string;
  readonly usages: string;
  readonly groups: string;
  readonly uses?: string;
}

const withAccess = (command: Command): Command =>
  command
    .option('--data-dir <directory>', 'of the cluster that `up` started, or of a member', defaultDataDir())
    .option('--endpoints <members>', 'host:port[,host:port] of gRPC listeners')
    .option('--pki-dir <directory>', "the cluster's secrets");

const withLimits = (command: Command): Command =>
  command
    .option('--ttl <duration>', 'how long it is good, such as 2h or 30m; 0: for ever', '24h')
    .option('--uses <count>', 'workers that may join with it (default: any number)')
    .option('--description <text>', 'what it is for', '')
    .option('--usages <list>', 'of signing and authentication', 'signing,authentication')
    .option(
      '--groups <list>',
      'groups of its holder; without the default one no worker joins with it',
      NODE_JOINERS_GROUP,
    );

export function addTokenCommands(program: Command): void {
  const token = program
    .command('token')
    .description('what new workers and members show when they join')
    .addHelpText(
      'after',
      `
A worker joins with a token from a member, which it reads from a file:
  navarch token create --uses 1 > token                            # on a member
  navarch agent --server 10.0.0.1:2379 --token-file token          # on the worker
A new member is given all secrets of the cluster, so treat its token like them:
  navarch token --member | ssh root@10.0.0.4 navarch server --name d --join 10.0.0.1:2379 --token-file -`,
    );
  withLimits(withAccess(token))
    .option('--member', "print the one for members, from the cluster's secrets")
    .action(async (flags: AccessFlags & CreateFlags & { readonly member?: boolean }) =>
      flags.member === true ? printMemberToken(flags) : create(undefined, flags),
    );
  withLimits(
    withAccess(token.command('create [id.secret]').description('make a token for workers, and print it')),
  ).action((text: string | undefined, _own: unknown, command: Command) => create(text, command.optsWithGlobals()));
  withAccess(token.command('list').description('the tokens for workers'))
    .option('-o, --output <format>', 'table or json', 'table')
    .action((_own: unknown, command: Command) => list(command.optsWithGlobals()));
  withAccess(
    token.command('delete <token...>').description('revoke tokens, named by their first six characters or in full'),
  ).action((texts: readonly string[], _own: unknown, command: Command) => revoke(texts, command.optsWithGlobals()));
}

async function printMemberToken(flags: AccessFlags): Promise<void> {
  const pki = await requirePki(flags.pkiDir ?? layout(flags.dataDir).pki);
  const pin = await authorityPin(pki.clusterAuthority.certificate);
  process.stdout.write(`${formatJoinToken({ pin, kind: 'member', secret: pki.memberSecret })}\n`);
}

async function withClient<T>(flags: AccessFlags, use: (client: Client, access: Access) => Promise<T>): Promise<T> {
  const access = await resolveAccess(flags);
  const { endpoints, ca, certificate, privateKey } = access;
  const client = await connect({ endpoints, tls: { ca, certificate, privateKey } });
  try {
    return await use(client, access);
  } finally {
    await client.close();
  }
}

async function create(text: string | undefined, flags: AccessFlags & CreateFlags): Promise<void> {
  const token = tokenOf(text, flags, { now_ms: systemClock.now(), random: systemRandom });
  await withClient(flags, async (client, { ca }) => {
    await client.create<Secret>(secrets, tokenSecret(token)).catch((error: unknown) => {
      throw isApiError(error, 'AlreadyExists')
        ? new UserError(
            `there is a token with the id "${token.id}" already; choose another, or delete it first (navarch token delete ${token.id})`,
          )
        : error;
    });
    process.stdout.write(
      `${formatJoinToken({ pin: await authorityPin(ca), kind: 'worker', secret: `${token.id}.${token.secret}` })}\n`,
    );
  });
}

/** Throws UserError for what cannot be one. */
export function tokenOf(
  text: string | undefined,
  flags: CreateFlags,
  context: { readonly now_ms: number; readonly random: Random },
): BootstrapToken {
  const shown =
    text === undefined
      ? { id: lettersOf(context.random, 6), secret: lettersOf(context.random, 16) }
      : parseTokenText(text);
  if (shown === undefined)
    throw new UserError('a token is six characters, a dot and sixteen characters, of a-z and 0-9', 2);
  const ttl_ms = (parseDuration(flags.ttl) ?? -1) / NS_IN_MS;
  if (ttl_ms < 0) throw new UserError(`--ttl must be a time such as 24h, 90m or 0, not "${flags.ttl}"`, 2);
  const usages = partsOf(flags.usages);
  const extraGroups = partsOf(flags.groups);
  const wrong = usages.find((usage) => !TOKEN_USAGES.includes(usage));
  if (wrong !== undefined || usages.length === 0)
    throw new UserError(`--usages must be of ${TOKEN_USAGES.join(', ')}, not "${wrong ?? ''}"`, 2);
  const group = extraGroups.find((one) => !isBootstrapGroup(one));
  if (group !== undefined) throw new UserError(`--groups must begin with "system:bootstrappers:", not "${group}"`, 2);
  if (flags.uses !== undefined && !/^[1-9]\d{0,8}$/.test(flags.uses))
    throw new UserError(`--uses must be a number from 1 on, not "${flags.uses}"`, 2);
  return {
    ...shown,
    description: flags.description,
    usages,
    extraGroups,
    expires_ms: ttl_ms === 0 ? undefined : context.now_ms + ttl_ms,
    uses: flags.uses === undefined ? undefined : Number(flags.uses),
  };
}

const partsOf = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const NS_IN_MS = 1_000_000;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Each letter is as likely as any other: bytes beyond the last whole round are passed over. */
function lettersOf(random: Random, length: number): string {
  let found = '';
  while (found.length < length)
    for (const byte of random.bytes(length))
      if (byte < 252 && found.length < length) found += LETTERS[byte % LETTERS.length] ?? '';
  return found;
}

async function list(flags: AccessFlags & { readonly output: string }): Promise<void> {
  if (flags.output !== 'table' && flags.output !== 'json')
    throw new UserError(`--output must be table or json, not "${flags.output}"`, 2);
  const { items } = await withClient(flags, (client) =>
    client.list<Secret>(secrets, {
      namespace: BOOTSTRAP_TOKEN_NAMESPACE,
      fieldSelector: `type=${BOOTSTRAP_TOKEN_TYPE}`,
    }),
  );
  const tokens = items.flatMap((secret) => readTokenSecret(secret) ?? []);
  process.stdout.write(
    flags.output === 'json'
      ? `${JSON.stringify(
          tokens.map((token) => rowOf(token, systemClock.now())),
          null,
          2,
        )}\n`
      : tableOf(tokens, systemClock.now()),
  );
}

function rowOf(token: BootstrapToken, now_ms: number) {
  const { expires_ms } = token;
  const ttl =
    expires_ms === undefined ? '<forever>' : hasExpired(token, now_ms) ? '<invalid>' : shortly(expires_ms - now_ms);
  return {
    token: `${token.id}.${token.secret}`,
    ttl,
    expires: expires_ms === undefined ? '<never>' : `${new Date(expires_ms).toISOString().slice(0, 19)}Z`,
    uses: token.uses === undefined ? '<any>' : String(token.uses),
    usages: token.usages.join(','),
    description: token.description,
    extraGroups: token.extraGroups.join(','),
  };
}

/** As kubectl prints ages. */
function shortly(left_ms: number): string {
  const minutes = Math.floor(left_ms / 60_000);
  return minutes < 120 ? `${minutes}m` : `${Math.floor(minutes / 60)}h`;
}

function tableOf(tokens: readonly BootstrapToken[], now_ms: number): string {
  const rows = [
    ['TOKEN', 'TTL', 'EXPIRES', 'USES', 'USAGES', 'DESCRIPTION', 'EXTRA GROUPS'],
    ...tokens.map((token) => Object.values(rowOf(token, now_ms)).map((cell) => (cell === '' ? '<none>' : cell))),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

async function revoke(texts: readonly string[], flags: AccessFlags): Promise<void> {
  const ids = texts.map((text) => {
    const id = /(?:^|\.)([a-z0-9]{6})\.[a-z0-9]{16}$/.exec(text)?.[1] ?? text;
    if (!isTokenId(id))
      throw new UserError('name a token by its first six characters, a-z and 0-9 (navarch token list)', 2);
    return id;
  });
  await withClient(flags, async (client) => {
    for (const id of ids) {
      await client
        .delete(secrets, { namespace: BOOTSTRAP_TOKEN_NAMESPACE, name: tokenSecretName(id) })
        .catch((error: unknown) => {
          throw isApiError(error, 'NotFound')
            ? new UserError(`there is no token with the id "${id}" (navarch token list)`)
            : error;
        });
      process.stdout.write(`bootstrap token "${id}" deleted\n`);
    }
  });
}
