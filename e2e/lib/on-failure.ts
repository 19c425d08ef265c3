/** What a failed scenario leaves behind, for whoever reads the output of a run that cannot be repeated. */
import { afterEach } from 'vitest';
import type { UpCluster } from './up-cluster.js';

/** Called inside a `describe`: the end of every log of the cluster follows each test that failed. */
export function showLogsOnFailure(cluster: () => UpCluster | undefined): void {
  afterEach(({ task }) => {
    if (task.result?.state === 'fail')
      process.stderr.write(
        `${task.name}: failed; the cluster's logs end with\n${cluster()?.logs() ?? '(no cluster)'}\n`,
      );
  });
}
