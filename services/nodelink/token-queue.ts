/** Asks for tokens, few at a time: each is a request to the API, and a worker may send as many as it likes. */
export class TokenQueue<T> {
  readonly #answer: (ask: T) => Promise<void>;
  readonly #waiting: T[] = [];
  #running = 0;

  /** `answer` never rejects. */
  constructor(answer: (ask: T) => Promise<void>) {
    this.#answer = answer;
  }

  /** False when too many wait already. */
  add(ask: T): boolean {
    if (this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push(ask);
    this.#next();
    return true;
  }

  clear(): void {
    this.#waiting.length = 0;
  }

  #next(): void {
    if (this.#running >= RUNNING_MAX) return;
    const ask = this.#waiting.shift();
    if (ask === undefined) return;
    this.#running++;
    void this.#answer(ask).finally(() => {
      this.#running--;
      this.#next();
    });
  }
}

const RUNNING_MAX = 16;
/** A node has some hundred pods with few tokens each. */
const WAITING_MAX = 2_000;
