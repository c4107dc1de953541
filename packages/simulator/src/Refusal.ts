/** How Polar refuses what is asked: a status, and one of its error bodies. */
import * as Data from "effect/Data"

/** What is wrong with one field, in Polar's form. */
export interface Issue {
  readonly type: string
  readonly loc: ReadonlyArray<string | number>
  readonly msg: string
  readonly input: unknown
}

/** `detail` is a sentence, or the issues of a validation. */
export class Refusal extends Data.TaggedError("Refusal")<{
  readonly status: number
  /** Polar's name for the error; `null` where the body has none (an unknown route or version). */
  readonly error: string | null
  readonly detail: string | ReadonlyArray<Issue>
  readonly headers?: Readonly<Record<string, string>>
}> {
  override get message(): string {
    const why =
      typeof this.detail === "string"
        ? this.detail
        : this.detail.map(({ loc, msg }) => `${loc.join(".")}: ${msg}`).join("; ")
    return `${this.status} ${this.error ?? ""} ${why}`
  }
}

export const notFound = new Refusal({ status: 404, error: "ResourceNotFound", detail: "Not found" })

export const refused = (status: number, error: string, detail: string): Refusal =>
  new Refusal({ status, error, detail })

/** A business rule about one field of the body is broken. */
export const invalid = (field: string | ReadonlyArray<string | number>, msg: string, input: unknown): Refusal =>
  rulesBroken([issue(field, msg, input)])

export const issue = (field: string | ReadonlyArray<string | number>, msg: string, input: unknown): Issue => ({
  type: "value_error",
  loc: ["body", ...(typeof field === "string" ? [field] : field)],
  msg,
  input: input ?? null
})

export const rulesBroken = (issues: ReadonlyArray<Issue>): Refusal =>
  new Refusal({ status: 422, error: "PolarRequestValidationError", detail: issues })

/** The request does not have the documented shape. */
export const malformed = (issues: ReadonlyArray<Issue>): Refusal =>
  new Refusal({ status: 422, error: "RequestValidationError", detail: issues })
