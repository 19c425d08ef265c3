/** How many of something each remote address has open, and how many there are in all, up to limits. */
export interface AddressLimits {
  readonly total: number;
  readonly perAddress: number;
}

export class AddressCount {
  readonly #limits: AddressLimits;
  readonly #byHost = new Map<string, number>();
  #total = 0;

  constructor(limits: AddressLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Counts one more, until what it returns is called. Undefined: a limit is reached. */
  enter(address: string): (() => void) | undefined {
    const host = hostOf(address);
    const count = this.#byHost.get(host) ?? 0;
    if (this.#total >= this.#limits.total || count >= this.#limits.perAddress) return undefined;
    this.#total++;
    this.#byHost.set(host, count + 1);
    let inside = true;
    return () => {
      if (inside) this.#left(host);
      inside = false;
    };
  }

  #left(host: string): void {
    this.#total--;
    const count = (this.#byHost.get(host) ?? 1) - 1;
    if (count === 0) this.#byHost.delete(host);
    else this.#byHost.set(host, count);
  }
}

/**
 * What counts as one host: an IPv4 address, also as `::ffff:10.0.0.1`; of IPv6 the first 64 bits, which one host has
 * whole.
 */
export function hostOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':');
}
