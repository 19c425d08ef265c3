/** The place of a value inside an object, kept as parts and rendered only when there is something to say. */

export type PathPart = string | number | { readonly key: string };

export class FieldPath {
  readonly #parts: PathPart[] = [];

  push(part: PathPart): void {
    this.#parts.push(part);
  }

  pop(): void {
    this.#parts.pop();
  }

  /** The name of the innermost field; undefined within a list or a map. */
  last(): string | undefined {
    const part = this.#parts.at(-1);
    return typeof part === 'string' ? part : undefined;
  }

  /** `spec.containers[0].resources.limits[cpu]`, as field errors have it. */
  toString(): string {
    let text = '';
    for (const part of this.#parts) {
      if (typeof part === 'number') text += `[${part}]`;
      else if (typeof part === 'object') text += `[${part.key}]`;
      else text += text === '' ? part : `.${part}`;
    }
    return text;
  }

  /** The same with `.key` for keys of maps, as decoders have it. */
  dotted(): string {
    let text = '';
    for (const part of this.#parts) {
      if (typeof part === 'number') text += `[${part}]`;
      else {
        const name = typeof part === 'object' ? part.key : part;
        text += text === '' ? name : `.${name}`;
      }
    }
    return text;
  }

  /** As kube-openapi has it: keys of maps are names, and one at the root has a dot before it. */
  inBody(): string {
    let text = '';
    for (const part of this.#parts) {
      if (typeof part === 'number') text += `[${part}]`;
      else if (typeof part === 'object') text += `.${part.key}`;
      else text += text === '' ? part : `.${part}`;
    }
    return text;
  }

  /** Field names alone, as Go's decoder names a struct field: no indexes, no keys of maps. */
  fieldNames(): string {
    return this.#parts.filter((part) => typeof part === 'string').join('.');
  }
}
