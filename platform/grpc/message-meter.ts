/**
 * Follows the messages in a gRPC request by their prefixes (one byte of flags, four of length), without keeping any of
 * it.
 */
const PREFIX_BYTES = 5;

export class MessageMeter {
  #prefix = 0;
  #length = 0;
  #remaining = 0;
  #messages = 0;

  /** Bytes that have arrived of a message that is not complete. */
  get held(): number {
    return this.#prefix === 0 ? 0 : this.#prefix + this.#length - this.#remaining;
  }

  /** Messages that are complete. */
  get messages(): number {
    return this.#messages;
  }

  add(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#prefix < PREFIX_BYTES) {
        if (this.#prefix > 0) this.#length = this.#length * 256 + (chunk[at] ?? 0);
        at++;
        this.#prefix++;
        this.#remaining = this.#length;
      } else {
        const taken = Math.min(this.#remaining, chunk.length - at);
        this.#remaining -= taken;
        at += taken;
      }
      if (this.#prefix === PREFIX_BYTES && this.#remaining === 0) this.#complete();
    }
  }

  #complete(): void {
    this.#messages++;
    this.#prefix = 0;
    this.#length = 0;
  }
}
