/** Images on this node: pull policies, and one pull at a time of each image, however many pods wait for it. */
import type { ImageRecord, RegistryAuth, Runtime } from '../runtime/runtime.js';
import { pullPolicyOf } from '../pod-spec/spec.js';
import type { Container } from '../pod-spec/types.js';

/**
 * Reason (as ErrImagePull, ErrImageNeverPull, InvalidImageName) and message of a container that waits for its image.
 */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** `registry:5000/path/name:tag@sha256:...` */
const IMAGE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._:-]*(\/[a-zA-Z0-9._-]+)*(:[\w][\w.-]{0,127})?(@sha256:[a-f0-9]{64})?$/;

export class Images {
  readonly #runtime: Runtime;
  readonly #pulls = new Map<string, Promise<void>>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** The image, pulled if the policy says so. `onPull` is called before a pull begins. Throws ImageError. */
  async ensure(
    container: Container,
    auths: readonly RegistryAuth[],
    onPull: () => void,
  ): Promise<{ image: ImageRecord; pulled: boolean }> {
    const name = container.image ?? '';
    if (!IMAGE_NAME.test(name))
      throw new ImageError('InvalidImageName', `couldn't parse image name "${name}": invalid reference format`);
    const policy = pullPolicyOf(container);
    const found = await this.#runtime.imageStatus(name);
    if (found !== undefined && policy !== 'Always') return { image: found, pulled: false };
    if (policy === 'Never')
      throw new ImageError('ErrImageNeverPull', `Container image "${name}" is not present with pull policy of Never`);
    onPull();
    await this.#pull(name, auths);
    const image = await this.#runtime.imageStatus(name);
    if (image === undefined) throw new ImageError('ErrImagePull', `image "${name}" was pulled but is not there`);
    return { image, pulled: true };
  }

  #pull(name: string, auths: readonly RegistryAuth[]): Promise<void> {
    const running = this.#pulls.get(name);
    // Another pod's pull may have used other credentials: only pulls without any are shared.
    if (running !== undefined && auths.length === 0) return running;
    const pull = this.#pullWith(name, auths).finally(() => {
      if (this.#pulls.get(name) === pull) this.#pulls.delete(name);
    });
    if (auths.length === 0) this.#pulls.set(name, pull);
    return pull;
  }

  async #pullWith(name: string, auths: readonly RegistryAuth[]): Promise<void> {
    let failure: unknown;
    for (const auth of auths.length === 0 ? [undefined] : auths) {
      try {
        await this.#runtime.pullImage(name, auth);
        return;
      } catch (error) {
        failure = error;
      }
    }
    const message = failure instanceof Error ? failure.message : String(failure);
    throw new ImageError('ErrImagePull', `failed to pull image "${name}": ${message}`);
  }
}
