/**
 * The checkers that know nothing of the simulator, for histories from elsewhere: those of real processes under real
 * faults (e2e/chaos). In: operations and watch batches as clients saw them. Out: a verdict.
 */
export { checkLinearizable, registerModel } from './linearizability.js';
export type { Operation, RegisterInput, RegisterOutput } from './linearizability.js';
export { answerOfRange, Model } from './model.js';
export { WatchJudge } from './watches.js';
export type { Court } from './watches.js';
