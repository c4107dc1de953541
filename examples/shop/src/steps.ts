/** What `npm start` says to try. The README has the same steps, in the same words. */
export const steps: ReadonlyArray<string> = [
  "Cancel in the customer portal. The shop says until when you have access.",
  "In the simulator's console press Advance to the end. Ada's access is over, and the shop knows.",
  "Subscribe again, press Fail the next payment and Advance to the next renewal: a grace period runs.",
  "Press Revoke now, switch on Deliver twice, Deliver late and Out of order, and subscribe and cancel once more. The shop ends in the right state."
]
