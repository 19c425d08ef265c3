/** Base64 as Go's decoder for []byte takes it: line breaks anywhere, unused bits ignored, padding required. */

export class Base64Error extends Error {
  override readonly name = 'Base64Error';

  constructor(at: number) {
    super(`illegal base64 data at input byte ${at}`);
  }
}

const QUANTUM = 4;
const IS_DIGIT = new Uint8Array(128);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') IS_DIGIT[char.charCodeAt(0)] = 1;

/** The text that encodes the same bytes without line breaks or stray bits. Throws Base64Error. */
export function canonicalBase64(text: string): string {
  // What Node's decoder, which skips what it does not know, gives back as it was is in order.
  const canonical = Buffer.from(text, 'base64').toString('base64');
  if (canonical === text) return text;
  const flaw = illegalByte(text);
  if (flaw !== undefined) throw new Base64Error(flaw);
  return canonical;
}

const isBreak = (char: string | undefined): boolean => char === '\n' || char === '\r';

/** Where Go's decoder gives up; undefined for what it accepts. */
function illegalByte(text: string): number | undefined {
  let inQuantum = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (isBreak(char)) continue;
    if (char === '=') return inQuantum < 2 ? at : flawOfPadding(text, at, inQuantum);
    if (IS_DIGIT[text.charCodeAt(at)] !== 1) return at;
    inQuantum = (inQuantum + 1) % QUANTUM;
  }
  return inQuantum === 0 ? undefined : text.length - inQuantum;
}

/** `at` is the first padding character; two are needed after two digits, and nothing but line breaks may follow. */
function flawOfPadding(text: string, at: number, digits: number): number | undefined {
  const breaks = (from: number): number => {
    let next = from;
    while (isBreak(text[next])) next += 1;
    return next;
  };
  let end = breaks(at + 1);
  if (digits === 2) {
    if (end === text.length) return text.length;
    if (text[end] !== '=') return end - 1;
    end = breaks(end + 1);
  }
  return end < text.length ? end : undefined;
}
