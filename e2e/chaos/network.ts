/**
 * A network for the members alone: a bridge in the machine's namespace, where the clients are, and a namespace for each
 * member with one link to it. Packets are dropped by the receiver's nftables rules, so that each direction of each pair
 * can be cut by itself. No namespace has a default route: nothing leaves the machine.
 */
import { inNetworkNamespace, mustRun, systemExecutor } from '../../platform/exec.js';

const BITS = 24;
const FIRST_HOST = 11;
const TABLE = 'inet chaos';

const ip = (...args: string[]) => mustRun(systemExecutor, 'ip', args);

export class BridgedNetwork {
  readonly #id: string;
  readonly #prefix: string;
  readonly #count: number;

  private constructor(id: string, prefix: string, count: number) {
    this.#id = id;
    this.#prefix = prefix;
    this.#count = count;
  }

  /**
   * `id`: up to 7 digits, the process: what it leaves when it is killed is known by that; names of links are short.
   * `net`: 0 to 255.
   */
  static async make(id: string, net: number, count: number): Promise<BridgedNetwork> {
    const network = new BridgedNetwork(id, `198.18.${net}`, count);
    const bridge = network.#bridge;
    try {
      await ip('link', 'add', bridge, 'type', 'bridge');
      await ip('address', 'add', `${network.#prefix}.1/${BITS}`, 'dev', bridge);
      await ip('link', 'set', bridge, 'up');
      for (let i = 0; i < count; i++) await network.#addMember(i);
    } catch (error) {
      await network.remove();
      throw error;
    }
    return network;
  }

  get #bridge(): string {
    return `nvf${this.#id}`;
  }

  #link(member: number): string {
    return `nvf${this.#id}-${member}`;
  }

  namespace(member: number): string {
    return `navarch-fleet-${this.#id}-${member}`;
  }

  address(member: number): string {
    return `${this.#prefix}.${FIRST_HOST + member}`;
  }

  async #addMember(member: number): Promise<void> {
    const [namespace, link] = [this.namespace(member), this.#link(member)];
    await ip('netns', 'add', namespace);
    await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    await ip('link', 'set', link, 'master', this.#bridge, 'up');
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    await ip('-n', namespace, 'address', 'add', `${this.address(member)}/${BITS}`, 'dev', 'eth0');
    await ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    await this.#nft(
      member,
      `add table ${TABLE}; add chain ${TABLE} arriving { type filter hook input priority 0; policy accept; }`,
    );
  }

  async #nft(member: number, script: string): Promise<void> {
    await mustRun(inNetworkNamespace(systemExecutor, this.namespace(member)), 'nft', ['-f', '-'], {
      stdin: `${script.replaceAll('; add', '\nadd')}\n`,
    });
  }

  /** Packets from the one no longer reach the other. */
  cut(from: number, to: number): Promise<void> {
    return this.#nft(to, `add rule ${TABLE} arriving ip saddr ${this.address(from)} drop`);
  }

  /** Neither the others nor the clients reach it any more. */
  async unplug(member: number): Promise<void> {
    await ip('link', 'set', this.#link(member), 'down');
  }

  async heal(): Promise<void> {
    for (let member = 0; member < this.#count; member++) {
      await this.#nft(member, `flush chain ${TABLE} arriving`);
      await ip('link', 'set', this.#link(member), 'up');
    }
  }

  /** What is not there is fine. */
  async remove(): Promise<void> {
    for (let member = 0; member < this.#count; member++) {
      await systemExecutor.run('ip', ['netns', 'delete', this.namespace(member)]);
      await systemExecutor.run('ip', ['link', 'delete', this.#link(member)]);
    }
    await systemExecutor.run('ip', ['link', 'delete', this.#bridge]);
  }
}
