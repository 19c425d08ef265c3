/** Several TableChanges as one: what counts is the state before the first and after the last. */
import { drawName } from './table.js';
import type { Draw, Element, StaleFlow, TableChange } from './table.js';

interface Net {
  /** What the kernel holds now; undefined: nothing. */
  readonly before: Element | undefined;
  after: Element | undefined;
}

export class Transaction {
  readonly #net = new Map<string, Net>();
  readonly #draws = new Map<string, Draw>();
  readonly #stale: StaleFlow[] = [];

  add(change: TableChange): void {
    for (const element of change.removed) this.#netOf(element, element).after = undefined;
    for (const element of change.added) this.#netOf(element, undefined).after = element;
    for (const draw of change.draws) this.#draws.set(drawName(draw), draw);
    this.#stale.push(...change.stale);
  }

  get removed(): Element[] {
    return this.#changed().flatMap(({ before }) => (before === undefined ? [] : [before]));
  }

  get added(): Element[] {
    return this.#changed().flatMap(({ after }) => (after === undefined ? [] : [after]));
  }

  get draws(): readonly Draw[] {
    return [...this.#draws.values()];
  }

  get stale(): readonly StaleFlow[] {
    return this.#stale;
  }

  get isEmpty(): boolean {
    return this.#changed().length === 0;
  }

  #changed(): Net[] {
    return [...this.#net.values()].filter(
      ({ before, after }) => before?.data !== after?.data || (before === undefined) !== (after === undefined),
    );
  }

  #netOf(element: Element, before: Element | undefined): Net {
    const id = `${element.set}|${element.key}`;
    const net = this.#net.get(id) ?? { before, after: before };
    this.#net.set(id, net);
    return net;
  }
}
