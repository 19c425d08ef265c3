/** The thread that reads and writes large YAML: one task a message, in their order. */
import { parentPort } from 'node:worker_threads';
import { isApiError } from '../../../apimachinery/status.js';
import type { YamlAnswer, YamlTask } from './yaml-tasks.js';
import { runYamlTask } from './yaml-tasks.js';

parentPort?.on('message', ({ id, task }: { readonly id: number; readonly task: YamlTask }) => {
  parentPort?.postMessage({ id, answer: answerOf(task) });
});

function answerOf(task: YamlTask): YamlAnswer {
  try {
    return { kind: 'done', result: runYamlTask(task) };
  } catch (error) {
    if (isApiError(error)) return { kind: 'refused', status: error.status };
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}
