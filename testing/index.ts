/** Public entry point: navarch/testing. */
export { startCluster } from './cluster.js';
export type { Cluster, ClusterOptions, TestMember, TestNode } from './cluster.js';
