import type { Proof } from "./Proof.ts"

export const shuffle: Proof = {
  name: "shuffle",
  promise: "to be written",
  stores: ["memory"],
  defaultCount: 1,
  run: async () => {
    throw new Error("not written yet")
  }
}
