/** How bodies are wrapped: four bytes of magic, then a runtime.Unknown that names the kind and holds its message. */
export const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
export const ENVELOPE = 'k8s.io.apimachinery.pkg.runtime.Unknown';
