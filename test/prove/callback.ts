import type { Proof } from "./Proof.ts"

export const callback: Proof = {
  name: "callback",
  promise: "to be written",
  stores: ["memory"],
  defaultCount: 1,
  run: async () => {
    throw new Error("not written yet")
  }
}
