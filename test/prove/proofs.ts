/** The proofs that the command line knows, each loaded when it is asked for. */
import type { Proof } from "./Proof.ts"

export const proofs: Readonly<Record<string, () => Promise<Proof>>> = {
  shuffle: async () => (await import("./shuffle.ts")).shuffle,
  storm: async () => (await import("./storm.ts")).storm,
  fuzz: async () => (await import("./fuzz.ts")).fuzz,
  callback: async () => (await import("./callback.ts")).callback,
  kill: async () => (await import("./kill.ts")).kill,
  outage: async () => (await import("./outage.ts")).outage
}
