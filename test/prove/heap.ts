/** Whether memory grows: the heap after a full collection, sampled evenly over a run. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

const collect = (): (() => void) => {
  setFlagsFromString("--expose-gc")
  return runInNewContext("gc")
}

export interface HeapWatch {
  readonly sample: () => void
  /** The largest of the last quarter of samples less the largest of the second quarter, in bytes. */
  readonly growth: () => number
  readonly last: () => number
}

/** The first quarter is warming up: compiled code, caches, pools. */
export const watchHeap = (): HeapWatch => {
  const gc = collect()
  const samples: Array<number> = []
  const largest = (from: number, to: number): number =>
    Math.max(...samples.slice(Math.floor(samples.length * from), Math.max(1, Math.ceil(samples.length * to))))
  return {
    sample: () => {
      gc()
      gc()
      samples.push(process.memoryUsage().heapUsed)
    },
    growth: () => largest(0.75, 1) - largest(0.25, 0.5),
    last: () => samples.at(-1) ?? 0
  }
}
