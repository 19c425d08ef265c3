/** The types of core/v1 that a worker acts on, and the few shapes of its own that name parts of them. */
import type {
  ExecAction,
  GRPCAction,
  HTTPGetAction,
  Quantity,
  SleepAction,
  TCPSocketAction,
} from '../../../apimachinery/gen/types.js';

export type {
  ConfigMap,
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  EnvVar,
  KeyToPath,
  Pod,
  PodCondition,
  PodSpec,
  PodStatus,
  Probe,
  Secret,
  SecurityContext,
  Volume,
  VolumeProjection,
} from '../../../apimachinery/gen/types.js';
export type { DownwardAPIVolumeFile as DownwardFile } from '../../../apimachinery/gen/types.js';

export type Quantities = Record<string, Quantity>;

/** What a probe or a lifecycle hook does: one of these is set. */
export interface Handler {
  exec?: ExecAction;
  httpGet?: HTTPGetAction;
  tcpSocket?: TCPSocketAction;
  sleep?: SleepAction;
  grpc?: GRPCAction;
}
