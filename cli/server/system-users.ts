/** The identities of the components inside a member. They are trusted: the registry asks nobody whether they may. */
import type { UserInfo } from '../../apimachinery/object-service.js';
import { COMPONENT_USERS } from '../../apimachinery/well-known.js';

const system = (name: string): UserInfo => ({ name, groups: ['system:masters', 'system:authenticated'] });

export const SYSTEM_USERS = {
  apiserver: system(COMPONENT_USERS.apiserver),
  controllers: system(COMPONENT_USERS.controllers),
  scheduler: system('system:kube-scheduler'),
  nodelink: system('system:nodelink'),
} as const;
